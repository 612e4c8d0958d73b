/** Time on the GPU itself, by two timestamps: at the beginning of a compute pass, and at the end of that or a later one. */

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

  /** For `beginComputePass`: what is timed may begin with one pass and end with another; undefined for one in between. */
  writes(begins = true, ends = true): GPUComputePassTimestampWrites | undefined {
    if (!begins && !ends) return undefined;
    return {
      querySet: this.#queries,
      ...(begins && { beginningOfPassWriteIndex: 0 }),
      ...(ends && { endOfPassWriteIndex: 1 }),
    };
  }

  /** Records, after the last pass, what is read. */
  encodeResolve(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.#queries, 0, TIMESTAMPS, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#readback, 0, BYTE_LENGTH);
  }

  /** The two timestamps that were submitted last, in nanoseconds since whenever. */
  async read(): Promise<[begin: bigint, end: bigint]> {
    await this.#readback.mapAsync(GPUMapMode.READ);
    const [begin, end] = new BigUint64Array(this.#readback.getMappedRange());
    this.#readback.unmap();
    return [begin, end];
  }

  /** Nanoseconds between them, what the GPU waited in between included; undefined where the clock stood still or ran backwards. */
  async readNs(): Promise<number | undefined> {
    const [begin, end] = await this.read();
    return end > begin ? Number(end - begin) : undefined;
  }

  destroy(): void {
    this.#queries.destroy();
    this.#resolved.destroy();
    this.#readback.destroy();
  }
}
