/**
 * The page: loads the two bundled networks, classifies the bundled images with both, and takes the visitor's pictures
 * and networks. What needs no GPU (costs, images) is shown even where there is none.
 */
import type { SessionProgress } from '../index.ts';
import { CompConvError } from '../index.ts';
import { showComparison, type Entry } from './comparison.ts';
import { byId, element } from './dom.ts';
import { describeFinding, type Measured } from './finding.ts';
import { formatBytes } from './format.ts';
import { kindOf, listenForFiles } from './intake.ts';
import { showLayers } from './layers.ts';
import { addMessage, clearMessages } from './messages.ts';
import { classify, fileNameOf, knowsLabels, loadNetwork, startNetwork, timeNetworks } from './networks.ts';
import type { LoadedNetwork, NetworkId, ReadyNetwork } from './networks.ts';
import { addOwnImage, answerOwnImages, removeOwnAnswers } from './own-images.ts';
import { explain, findMissingWebGpu, messageOf, showFailure } from './problems.ts';
import { removeAnswers, showAnswer, showSamples } from './sample-cards.ts';
import { loadSamples, pageUrl, type SampleSet } from './samples.ts';
import { endProgress, pageState, resumeProgress, setPageState, showProgress, Tally } from './status.ts';

const BUNDLED = [
  ['plain', 'models/fashion-mnist-plain.safetensors'],
  ['compconv', 'models/fashion-mnist-compconv.safetensors'],
] as const;

/** What the table shows, by network. */
const entries = new Map<NetworkId, Entry>();
/** Networks on the GPU, in the table's order. */
const running = new Map<NetworkId, ReadyNetwork>();
let sampleSet: SampleSet | undefined;

// It speaks for a program that does not start.
byId('start-hint').remove();

/** The visitor's files wait until the page is ready, and for each other. */
let work = start();
listenForFiles((files) => {
  work = work.then(() => takeAll(files));
});
for (const button of document.querySelectorAll<HTMLButtonElement>('#trained button')) {
  button.addEventListener('click', () => {
    // Once is enough, and that it waits is to be seen.
    button.disabled = true;
    work = work.then(() => takeAll([button.value])).finally(() => (button.disabled = false));
  });
}

async function start(): Promise<void> {
  const missing = findMissingWebGpu();
  if (missing) showFailure(missing);
  try {
    const loaded = await loadAll();
    if (missing) return;
    await startAll(loaded);
    await classifySamples([...running.values()]);
    await measure([...running.values()]);
    showFinding();
    endProgress('Done: both networks have classified the bundled images.');
    setPageState('ready');
  } catch (error) {
    // A page without WebGPU has said what matters already.
    if (!missing) fail(error);
  }
}

async function loadAll(): Promise<LoadedNetwork[]> {
  const bytes = new Tally();
  const step = (done?: number, total?: number, detail?: string) => {
    if (pageState() === 'loading') showProgress('Downloading networks and images', done, total, detail);
  };
  step();
  const images = loadSamples();
  const networks = BUNDLED.map(([id, path]) => {
    bytes.set(id, 0, undefined);
    return loadNetwork(id, pageUrl(path), (done, total) => {
      bytes.set(id, done, total);
      step(bytes.done, bytes.total, formatBytes(bytes.done) + (bytes.total ? ` of ${formatBytes(bytes.total)}` : ''));
    });
  });
  sampleSet = await images;
  showSamples(sampleSet);
  const loaded = await Promise.all(networks);
  for (const network of loaded) {
    const testSetCorrect = sampleSet.testSet.correctInPyTorch[network.fileName];
    entries.set(network.id, { network, ...(testSetCorrect === undefined ? {} : { testSetCorrect }) });
  }
  drawComparison();
  showLayers(loaded[0].cost, loaded[1].cost);
  return loaded;
}

async function startAll(loaded: readonly LoadedNetwork[]): Promise<void> {
  const onProgress = preparation('Preparing the networks on the GPU');
  const ready = await Promise.all(
    loaded.map((network) => startNetwork(network, (progress) => onProgress(network.id, progress))),
  );
  for (const network of ready) {
    running.set(network.id, network);
    entries.set(network.id, { ...entries.get(network.id), network });
  }
  showAdapter(ready[0]);
  drawComparison();
}

/** Progress of uploads and compilations, of several networks together. */
function preparation(step: string): (part: string, progress: SessionProgress) => void {
  const uploads = new Tally();
  const kernels = new Tally();
  showProgress(step);
  return (part, { phase, done, total }) => {
    (phase === 'upload' ? uploads : kernels).set(part, done, total);
    const compiled = kernels.total ? `kernels compiled: ${kernels.done} of ${kernels.total}` : '';
    const uploaded = uploads.total
      ? `weights uploaded: ${formatBytes(uploads.done)} of ${formatBytes(uploads.total)}`
      : '';
    showProgress(step, kernels.done, kernels.total, [uploaded, compiled].filter(Boolean).join(' · '));
  };
}

async function classifySamples(networks: readonly ReadyNetwork[]): Promise<void> {
  const { samples } = sampleSet!;
  const correct = new Map<NetworkId, number>(networks.map(({ id }) => [id, 0]));
  for (const [number, sample] of samples.entries()) {
    showProgress('Classifying the bundled images', number, samples.length, `${number} of ${samples.length}`);
    for (const network of networks) {
      const answers = await classify(network, sample.bitmap, 1);
      showAnswer(network, sample, answers);
      if (answers[0].label === sample.label) correct.set(network.id, correct.get(network.id)! + 1);
    }
  }
  for (const { id } of networks) entries.set(id, { ...entries.get(id)!, correct: correct.get(id)! });
}

async function measure(networks: readonly ReadyNetwork[]): Promise<void> {
  const { samples } = sampleSet!;
  const images = samples.map(({ bitmap }) => bitmap);
  const times = await timeNetworks(networks, images, (done) => showProgress('Measuring', done, images.length));
  for (const { id } of networks) entries.set(id, { ...entries.get(id)!, times: times.get(id)! });
  drawComparison();
}

function drawComparison(): void {
  const { samples, testSet } = sampleSet!;
  showComparison(entries, { samples: samples.length, testSetImages: testSet.images });
  const timed = entries.get('plain')?.times?.images;
  const own = entries.get('own')?.times?.images;
  byId('timing-note').textContent =
    (timed
      ? `Times are medians over ${timed} pictures, one at a time, the networks taking turns, after a first run that is not ` +
        'counted; the time per picture includes bringing it to the GPU and the answer back.'
      : '') + (own ? ` Your network was timed alone, on ${own} pictures.` : '');
}

function showAdapter({ session: { adapter } }: ReadyNetwork): void {
  byId('adapter').textContent = `Adapter: ${adapter.name}`;
  const warning = byId('software-warning');
  warning.hidden = !adapter.isSoftware;
  warning.textContent =
    'This is a software adapter: it computes on the processor. The answers are right; the times say nothing about your GPU.';
}

function showFinding(): void {
  const { samples, testSet } = sampleSet!;
  const { headline, detail } = describeFinding(
    measuredOf('plain'),
    measuredOf('compconv'),
    samples.length,
    testSet.images,
  );
  byId('finding').textContent = headline;
  byId('finding-detail').textContent = detail;
  byId('result').hidden = false;
}

function measuredOf(id: NetworkId): Measured {
  const { network, times, correct, testSetCorrect } = entries.get(id)!;
  return {
    macs: network.cost.total.macs,
    latencyMs: times!.latencyMs,
    dispatches: network.plan!.dispatches,
    correct: correct!,
    ...(testSetCorrect === undefined ? {} : { testSetCorrect }),
  };
}

/** Pictures and networks of the visitor's, or the path of a network that comes with the page. */
async function takeAll(sources: readonly (File | string)[]): Promise<void> {
  clearMessages();
  for (const source of sources) {
    const name = typeof source === 'string' ? fileNameOf(source) : source.name || 'pasted picture';
    const kind = typeof source === 'string' ? 'weights' : kindOf(source);
    if (kind === 'other') {
      addMessage(
        `${name} is neither a picture nor a network`,
        'Accepted are pictures (PNG, JPEG, WebP, GIF, …) and .safetensors files.',
      );
      continue;
    }
    if (pageState() === 'failed') {
      addMessage(
        `${name} cannot be used`,
        'No network is running; the message at the top of the page says why and what to do.',
      );
      continue;
    }
    try {
      resumeProgress();
      if (typeof source === 'string' || kind === 'weights') await addOwnNetwork(source);
      else await classifyOwn(source, name);
    } catch (error) {
      if (error instanceof CompConvError && error.code === 'device-lost') fail(error);
      else addMessage(`${name} could not be ${kind === 'weights' ? 'loaded' : 'classified'}`, messageOf(error));
    } finally {
      if (pageState() === 'ready') endProgress('');
    }
  }
}

async function classifyOwn(file: File, name: string): Promise<void> {
  showProgress(`Classifying ${name}`);
  await addOwnImage(file, [...running.values()]);
  endProgress(`${name} is classified.`);
}

/** Replaces the visitor's network; the one before stays until the new one runs. */
async function addOwnNetwork(source: File | string): Promise<void> {
  const { samples, testSet } = sampleSet!;
  const isBundled = typeof source === 'string';
  const name = isBundled ? fileNameOf(source) : source.name;
  showProgress(`Reading ${name}`);
  const loaded = await loadNetwork('own', isBundled ? pageUrl(source) : source, (done, total) =>
    showProgress(`Reading ${name}`, done, total, total === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`),
  );
  const onProgress = preparation(`Preparing ${name} on the GPU`);
  const network = await startNetwork(loaded, (progress) => onProgress('own', progress));
  try {
    await classify(network, samples[0].bitmap, 1); // Warms up, and shows a network that gives no numbers.
  } catch (error) {
    network.session.dispose();
    throw error;
  }
  running.get('own')?.session.dispose();
  running.set('own', network);
  // A visitor's file may have any name.
  const testSetCorrect = isBundled ? testSet.correctInPyTorch[name] : undefined;
  entries.set('own', { network, ...(testSetCorrect === undefined ? {} : { testSetCorrect }) });
  removeAnswers('own');
  removeOwnAnswers('own');
  drawComparison();
  const isComparable = knowsLabels(network, samples);
  if (isComparable) await classifySamples([network]);
  await measure([network]);
  await answerOwnImages(network);
  addMessage(
    `${name} is loaded`,
    `${network.model.graph.name} stands beside the others in the table` +
      (isComparable
        ? ' and has classified the bundled images.'
        : '. Its classes are not those of the bundled images; show it pictures of your own.'),
    'info',
    element('a', { href: '#comparison' }, 'Show the table'),
  );
}

/** Ends the page's work: nothing can be computed any more. */
function fail(error: unknown): void {
  console.warn(error);
  for (const { session } of running.values()) session.dispose();
  running.clear();
  showFailure(explain(error));
}
