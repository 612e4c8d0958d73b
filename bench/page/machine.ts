/** The adapter as the browser tells of it, before anything runs: plain data, so that the worker can ask and the page show. */
import { CompConvError } from '../../src/errors.ts';
import { describeAdapter, isSoftwareAdapter } from '../../src/runtime/adapter-info.ts';

export interface Machine {
  readonly adapter: string;
  readonly isSoftware: boolean;
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** Where the browser tells: Chromium with developer features. */
  readonly driver: string;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

/** Asks for the adapter that the benchmark will get. @throws webgpu-unavailable */
export async function describeMachine(): Promise<Machine> {
  const gpu = (navigator as Navigator | WorkerNavigator).gpu as GPU | undefined;
  if (!gpu) throw new CompConvError('webgpu-unavailable', 'this browser has no WebGPU in workers, where the benchmark runs');
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new CompConvError('webgpu-unavailable', 'WebGPU is there but offers no adapter');
  const { info, features, limits } = adapter;
  const limitNames = Object.keys(Object.getPrototypeOf(limits) as object);
  return {
    adapter: describeAdapter(info),
    isSoftware: isSoftwareAdapter(info),
    vendor: info.vendor,
    architecture: info.architecture,
    device: info.device,
    description: info.description,
    driver: (info as { readonly driver?: string }).driver ?? '',
    features: [...features].sort(),
    limits: Object.fromEntries(
      limitNames.flatMap((name) => {
        const value = (limits as unknown as Record<string, unknown>)[name];
        return typeof value === 'number' ? [[name, value]] : [];
      }),
    ),
  };
}
