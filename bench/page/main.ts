/**
 * The benchmark page: the form and the address are one request, a worker measures it, the report is drawn. Saved reports
 * are drawn and compared by the same means. For programs: `<html data-state>` is `idle`, `running`, `done` or `failed` (with
 * `data-reason="cancelled"` if somebody did that), `window.benchReport` or `window.benchError` the end of a run, and
 * `benchprogress` an event of the window.
 */
import { CompConvError, type ErrorCode } from '../../src/errors.ts';
import { byId } from '../../src/page/dom.ts';
import { listenForFiles } from '../../src/page/intake.ts';
import { addMessage, clearMessages } from '../../src/page/messages.ts';
import { findMissingWebGpu, messageOf, showFailure, type Problem } from '../../src/page/problems.ts';
import { endProgress, pageState, setPageState } from '../../src/page/status.ts';
import type { BenchReport } from '../report.ts';
import {
  DEFAULT_REQUEST,
  fromSearchParams,
  isAutostart,
  requestedNetworks,
  toSearchParams,
  type BenchRequest,
} from '../request.ts';
import { BenchWorker } from './bench-worker.ts';
import { readVersions } from './environment.ts';
import { allowF16, buildForm, readForm, takeDepthFile, writeForm } from './form.ts';
import { showMachine, showNoMachine, showVersions } from './machine-view.ts';
import { allowOnnx, showOnnxList } from './onnx-view.ts';
import { ProgressView } from './progress-view.ts';
import { isReportShown, openReports, redrawReport, showMeasured } from './reports.ts';
import { explainRun, explainWorker } from './run-problems.ts';

declare global {
  interface Window {
    benchReport?: BenchReport;
    benchError?: { readonly code?: ErrorCode; readonly message: string };
  }
}

const worker = new BenchWorker();
const runButton = byId<HTMLButtonElement>('run');
let versions: Record<string, string> = {};

// It speaks for a program that does not start.
byId('start-hint').remove();
runButton.disabled = true;
allowOnnx(false);
buildForm(followForm);
byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const request = followForm();
  if (request) void run(request);
});
byId('cancel').addEventListener('click', () => worker.terminate());
const depthFile = byId<HTMLInputElement>('depth-file');
depthFile.addEventListener('change', () => void takeDepths());
listenForFiles((files) => void openReports(files, (file) => takeDepthFile(file, followForm)));
void start();

async function start(): Promise<void> {
  const address = new URLSearchParams(location.search);
  const problem = readAddress(address);
  const mayStart = await meetMachine();
  allowOnnx(true);
  if (mayStart && problem === undefined && isAutostart(address)) await run(readForm());
  else if (problem !== undefined && isAutostart(address)) fail(problem);
}

/** Fills the form from the address, or by default where that is wrong, and gives what is wrong. */
function readAddress(address: URLSearchParams): unknown {
  try {
    const request = fromSearchParams(address);
    requestedNetworks(request);
    writeForm(request);
    showOnnxList(request, worker);
    describeRequest(request);
    return undefined;
  } catch (error) {
    writeForm(DEFAULT_REQUEST);
    followForm();
    addMessage(
      'The address of this page asks for something that is not there',
      `${messageOf(error)}. The form is as it is by default.`,
    );
    return error;
  }
}

/** Shows where the page runs; gives whether it can. */
async function meetMachine(): Promise<boolean> {
  versions = await readVersions();
  showVersions(versions);
  const missing = findMissingWebGpu();
  if (missing) {
    showNoMachine();
    return fail(new CompConvError('webgpu-unavailable', missing.title), missing);
  }
  try {
    const machine = await worker.describe();
    showMachine(machine);
    allowF16(machine.features.includes('shader-f16'));
    runButton.disabled = false;
    return true;
  } catch (error) {
    showNoMachine();
    return fail(error, await explainWorker(error));
  }
}

/** The request of the form, if it is one; address and texts follow. */
function followForm(): BenchRequest | undefined {
  const problem = byId('form-problem');
  try {
    const request = readForm();
    showOnnxList(request, worker);
    describeRequest(request);
    problem.hidden = true;
    showAddress(toSearchParams(request).toString());
    return request;
  } catch (error) {
    problem.textContent = messageOf(error);
    problem.hidden = false;
    byId('networks-text').textContent = '';
    byId('onnx-list').replaceChildren();
    return undefined;
  }
}

function showAddress(params: string): void {
  try {
    history.replaceState(null, '', params ? `?${params}` : location.pathname);
  } catch {
    // Some browsers refuse the hundredth change in a short time; the next one makes up for it.
  }
}

function describeRequest(request: BenchRequest): void {
  const labels = requestedNetworks(request).map(({ label }) => label);
  byId('networks-text').textContent = `${labels.length} network${labels.length === 1 ? '' : 's'}: ${labels.join(', ')}`;
}

async function takeDepths(): Promise<void> {
  const file = depthFile.files?.[0];
  depthFile.value = ''; // The same file again is a change again.
  if (!file) return;
  try {
    await takeDepthFile(file, followForm);
    redrawReport();
  } catch (error) {
    addMessage(`${file.name} holds no depths by layer`, messageOf(error));
  }
}

async function run(request: BenchRequest): Promise<void> {
  if (pageState() === 'running') return;
  delete window.benchReport;
  delete window.benchError;
  delete document.documentElement.dataset['reason'];
  clearMessages();
  byId('failure').hidden = true;
  const progress = new ProgressView(request);
  setPageState('running');
  setBusy(true);
  try {
    const report = await worker.run(request, versions, (step) => {
      progress.show(step);
      dispatchEvent(new CustomEvent('benchprogress', { detail: step }));
    });
    window.benchReport = report;
    endProgress('Done: the results are shown.');
    showMeasured(report);
    setPageState('done');
  } catch (error) {
    if (error instanceof CompConvError && error.code === 'aborted') cancelled(progress.current);
    else fail(error, explainRun(error));
  } finally {
    setBusy(false);
  }
}

function setBusy(isBusy: boolean): void {
  runButton.disabled = isBusy;
  allowOnnx(!isBusy);
}

function cancelled(during: string): void {
  window.benchError = { code: 'aborted', message: `cancelled: ${during}` };
  document.documentElement.dataset['reason'] = 'cancelled';
  endProgress('Cancelled.');
  addMessage(
    'Cancelled',
    `It was at: ${during}. ${isReportShown() ? 'The results below are those of before.' : 'There are no results.'}`,
    'info',
  );
  setPageState('failed');
}

/** Ends in state `failed`; false for who has nothing to go on with. */
function fail(error: unknown, problem: Problem = explainRun(error)): false {
  window.benchError = { ...(error instanceof CompConvError && { code: error.code }), message: messageOf(error) };
  showFailure(problem);
  return false;
}
