/**
 * Where sessions get their device, and a new one when it was lost. Sessions that ask for the same thing share one, so that many
 * models run on one device, take turns, and all together ask once for another.
 */
import { CompConvError } from '../errors.ts';
import { openDevice, type DeviceOptions, type EngineDevice } from './device.ts';
import { PacedQueue } from './paced-queue.ts';
import { Turns } from './turns.ts';

/** A device with its queue, whose pace is the device's. */
export interface OpenDevice {
  readonly engine: EngineDevice;
  readonly queue: PacedQueue;
}

/** So often in a row is a device lost, without a run in between that worked, before nobody is given another one. */
const MAX_LOSSES = 3;
/** A browser whose GPU process has just ended has no adapter for a moment. */
const RETRY_AFTER_MS = [200, 800, 3000];

/** By what sessions ask for: a device, a function, an adapter, or WebGPU itself. */
const shared = /*#__PURE__*/ new WeakMap<object, Map<string, DeviceSource>>();

export class DeviceSource {
  /** Of all sessions that share it. */
  readonly turns = new Turns();
  readonly #options: DeviceOptions;
  readonly #forget: () => void;
  #current: Promise<OpenDevice> | undefined;
  /** What `current` has become. */
  #opened: OpenDevice | undefined;
  #losses = 0;
  #users = 0;

  private constructor(options: DeviceOptions, forget: () => void) {
    this.#options = options;
    this.#forget = forget;
  }

  /** The source that these options share; give it back with `release`. */
  static share({ device, adapter, gpu, powerPreference = 'high-performance' }: DeviceOptions): DeviceSource {
    const origin: object = device ?? adapter ?? gpu ?? (globalThis.navigator as Navigator | undefined)?.gpu ?? shared;
    const key = device || adapter ? '' : powerPreference;
    const sources = shared.get(origin) ?? new Map<string, DeviceSource>();
    shared.set(origin, sources);
    let source = sources.get(key);
    if (!source) {
      source = new DeviceSource({ ...(device && { device }), ...(adapter && { adapter }), ...(gpu && { gpu }), powerPreference }, () => sources.delete(key));
      sources.set(key, source);
    }
    source.#users++;
    return source;
  }

  /** A source that nobody else has. */
  static own(options: DeviceOptions): DeviceSource {
    const source = new DeviceSource(options, () => {});
    source.#users++;
    return source;
  }

  /** Whether there can be another device after this one. */
  get isRenewable(): boolean {
    const { device, adapter, gpu } = this.#options;
    if (device) return typeof device === 'function';
    return !adapter || (gpu ?? (globalThis.navigator as Navigator | undefined)?.gpu) !== undefined;
  }

  /**
   * The device; another one if it was lost, the same for all who ask meanwhile.
   * @throws webgpu-unavailable; device-lost where there is no other one
   */
  open(): Promise<OpenDevice> {
    if (this.#opened?.engine.isLost) {
      this.#opened = undefined;
      this.#current = undefined;
      this.#losses++;
    }
    return (this.#current ??= this.#open());
  }

  /** Says that the device does its work. */
  works(): void {
    this.#losses = 0;
  }

  /** Destroys the device with its last user, if it is ours. */
  release(): void {
    if (--this.#users > 0) return;
    this.#forget();
    void this.#current?.then(({ engine }) => engine.release(), () => {});
  }

  async #open(): Promise<OpenDevice> {
    try {
      const engine = this.#losses === 0 ? await openDevice(this.#options) : await this.#renew();
      return (this.#opened = { engine, queue: new PacedQueue(engine.device) });
    } catch (error) {
      this.#current = undefined; // Whoever comes next tries again.
      throw error;
    }
  }

  async #renew(): Promise<EngineDevice> {
    if (!this.isRenewable) throw new CompConvError('device-lost', 'the GPU device that the session was given is lost; create a session with another one');
    if (this.#losses >= MAX_LOSSES) {
      throw new CompConvError(
        'device-lost',
        `the GPU device was lost ${this.#losses} times in a row, and no run worked in between; dispose of the session, and use a smaller batch, image or network`,
      );
    }
    // An adapter gives one device, so the caller's is used up.
    const { adapter: _, ...options } = this.#options;
    for (const waitMs of RETRY_AFTER_MS) {
      try {
        return await openDevice(options);
      } catch (error) {
        if (!(error instanceof CompConvError) || error.code !== 'webgpu-unavailable') throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
    return openDevice(options);
  }
}
