/** What went wrong, in words that say what to do about it. */
import { CompConvError } from '../index.ts';
import { byId, element } from './dom.ts';
import { endProgress, setPageState } from './status.ts';

export interface Problem {
  readonly title: string;
  /** Paragraphs; what is to be typed stands between backticks. */
  readonly advice: readonly string[];
  /** The technical message, for a report. */
  readonly cause?: string;
  readonly canReload?: boolean;
}

/** Whether the browser lacks WebGPU altogether; `undefined` where it can be tried. */
export function findMissingWebGpu(): Problem | undefined {
  if (!globalThis.isSecureContext) {
    return {
      title: 'WebGPU is switched off on this address',
      advice: [
        `Browsers offer WebGPU on https:// and on localhost only; this page came from ${location.origin}.`,
        'Open it as http://localhost with the same port on the computer that serves it, or serve it over https.',
      ],
    };
  }
  if (!navigator.gpu) {
    return {
      title: 'This browser has no WebGPU',
      advice: [
        'Open this page in Chrome or Edge 113 or newer, Safari 26 or newer, or Firefox 141 or newer.',
        'In an older Firefox set `dom.webgpu.enabled` in `about:config`; Chrome on Linux may need `--enable-unsafe-webgpu`.',
      ],
    };
  }
  return undefined;
}

/** What is said where the error's code says nothing to a visitor. */
const COULD_NOT_START = {
  title: 'The page could not start',
  advice: ['Load the page again. If it stays like this, report the message below with your browser’s name.'],
};

export function explain(error: unknown, otherwise: Pick<Problem, 'title' | 'advice'> = COULD_NOT_START): Problem {
  const cause = messageOf(error);
  const code = error instanceof CompConvError ? error.code : undefined;
  switch (code) {
    case 'webgpu-unavailable':
      return {
        title: 'WebGPU is there, but offers no graphics adapter',
        advice: [
          'Switch on hardware acceleration in the browser’s settings, update the graphics driver, then restart the browser.',
          'In Chrome, `chrome://gpu` says why WebGPU is off. Without a GPU, Chrome started with `--enable-unsafe-webgpu` ' +
            '`--use-webgpu-adapter=swiftshader` computes on the processor.',
        ],
        cause,
        canReload: true,
      };
    case 'device-lost':
      return {
        title: 'The connection to the GPU was lost',
        advice: ['A driver restart, sleep, or another program can do that. Load the page again to go on.'],
        cause,
        canReload: true,
      };
    case 'out-of-memory':
    case 'limit-exceeded':
      return {
        title: 'This needs more than the graphics adapter has',
        advice: ['Close other tabs and programs that use the GPU, then load the page again.'],
        cause,
        canReload: true,
      };
    case 'io':
      return {
        title: 'A file of this page could not be downloaded',
        advice: ['Is the server still running? Start it with `npm start`, then load the page again.'],
        cause,
        canReload: true,
      };
    default:
      return { ...otherwise, cause, canReload: true };
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Puts a problem in place of the results; what is known without the GPU stays. */
export function showFailure({ title, advice, cause, canReload }: Problem): void {
  const panel = byId('failure');
  panel.replaceChildren(
    element('h2', {}, title),
    ...advice.map((line) =>
      element('p', {}, ...line.split('`').map((part, i) => (i % 2 ? element('code', {}, part) : part))),
    ),
    ...(cause
      ? [element('details', {}, element('summary', {}, 'The message in full'), element('pre', {}, cause))]
      : []),
  );
  if (canReload) {
    const button = element('button', { type: 'button' }, 'Load the page again');
    button.addEventListener('click', () => location.reload());
    panel.append(button);
  }
  panel.hidden = false;
  endProgress('');
  setPageState('failed');
}
