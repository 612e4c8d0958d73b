/** Time of one compute pass on the GPU itself, by two timestamps. */

const TIMESTAMPS = 2;
const BYTE_LENGTH = TIMESTAMPS * 8;

export class PassTimer {
  readonly #queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #readback: GPUBuffer;

  /** `device` must have the feature `timestamp-query`. */
  constructor(device: GPUDevice) {
    this.#queries = device.createQuerySet({ type: 'timestamp', count: TIMESTAMPS });
    this.#resolved = device.createBuffer({ size: BYTE_LENGTH, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    this.#readback = device.createBuffer({ size: BYTE_LENGTH, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  }

  /** For `beginComputePass`. */
  get writes(): GPUComputePassTimestampWrites {
    return { querySet: this.#queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  }

  /** Records, after the pass, what `readNs` reads. */
  encodeResolve(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.#queries, 0, TIMESTAMPS, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#readback, 0, BYTE_LENGTH);
  }

  /** Nanoseconds of the last submitted pass; undefined where the clock stood still or ran backwards. */
  async readNs(): Promise<number | undefined> {
    await this.#readback.mapAsync(GPUMapMode.READ);
    const [begin, end] = new BigUint64Array(this.#readback.getMappedRange());
    const elapsed = end > begin ? Number(end - begin) : undefined;
    this.#readback.unmap();
    return elapsed;
  }

  destroy(): void {
    this.#queries.destroy();
    this.#resolved.destroy();
    this.#readback.destroy();
  }
}
