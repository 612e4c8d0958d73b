/** The bundled images: their list, their pixels, and what is known of the networks from elsewhere. */

export interface Sample {
  readonly url: string;
  /** What is on it. */
  readonly label: string;
  /** Its number in the Fashion-MNIST test set. */
  readonly index: number;
  /** Decoded once, so that no network's time has the decoding in it. */
  readonly bitmap: ImageBitmap;
}

export interface SampleSet {
  /** How the images were chosen, in words. */
  readonly choice: string;
  readonly samples: readonly Sample[];
  readonly testSet: {
    readonly images: number;
    /** By file name of the network. */
    readonly correctInPyTorch: Readonly<Record<string, number>>;
  };
}

/** Relative to the page, which may lie in any folder of any server. */
export function pageUrl(path: string): string {
  return new URL(path, document.baseURI).href;
}

export async function loadSamples(): Promise<SampleSet> {
  const folder = pageUrl('images/fashion-mnist/');
  const list = (await (await download(`${folder}samples.json`)).json()) as Omit<SampleSet, 'samples'> & {
    readonly samples: readonly { readonly file: string; readonly label: string; readonly index: number }[];
  };
  const samples = await Promise.all(
    list.samples.map(async ({ file, label, index }) => {
      const url = folder + file;
      return { url, label, index, bitmap: await decode(await (await download(url)).blob()) };
    }),
  );
  return { ...list, samples };
}

/** As the engine decodes files: the pixels as they are. */
function decode(file: Blob): Promise<ImageBitmap> {
  return createImageBitmap(file, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
}

async function download(url: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new Error(`${url} could not be downloaded: ${(cause as Error).message}`, { cause });
  }
  if (!response.ok) throw new Error(`${url}: the server answered ${response.status} ${response.statusText}`);
  return response;
}
