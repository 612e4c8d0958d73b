/** The section about this machine: what is known before anything runs. */
import { byId, element } from '../../src/page/dom.ts';
import { formatBytes, formatCount } from '../../src/page/format.ts';
import { factItems, type Facts } from './facts.ts';
import type { Machine } from './machine.ts';

/** Browser, system and engine, which need no adapter. */
export function showVersions({ engine, browser, os }: Readonly<Record<string, string>>): void {
  addFacts([
    ['Browser', browser],
    ['System', os],
    ['Engine', `compconv-webgpu ${engine}`],
    [
      'Clock and threads',
      globalThis.crossOriginIsolated
        ? `Isolated from other origins: a clock of 5 µs, ${navigator.hardwareConcurrency} threads for WebAssembly`
        : 'Not isolated from other origins: a clock of 0.1 ms only, one thread for WebAssembly. The server must send the headers ' +
          'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.',
    ],
  ]);
}

export function showMachine(machine: Machine): void {
  const { adapter, isSoftware, vendor, architecture, device, description, driver, features, limits } = machine;
  const has = (feature: string, yes: string, no: string) => (features.includes(feature) ? yes : no);
  byId('machine-wait').remove();
  addFacts(
    [
      ['Adapter', adapter],
      ['Vendor', vendor],
      ['Architecture', architecture],
      ['Device', [device, description].filter(Boolean).join(', ')],
      ['Driver', driver],
      ['GPU times', has('timestamp-query', 'Yes (timestamp-query)', 'None: this adapter offers no timestamps')],
      ['Half precision', has('shader-f16', 'Yes (shader-f16)', 'None: this adapter lacks shader-f16, so f16 falls back to f32')],
    ],
    'first',
  );
  const warning = byId('software-warning');
  warning.hidden = !isSoftware;
  warning.textContent =
    'This is a software adapter: it computes on the processor. A run takes minutes instead of seconds, and its times say ' +
    'nothing about a GPU.';
  byId('machine-features').textContent = `Features: ${features.join(', ') || 'none'}.`;
  byId('machine-limits').replaceChildren(
    element(
      'tbody',
      {},
      ...Object.entries(limits).map(([name, value]) =>
        element(
          'tr',
          {},
          element('th', { scope: 'row' }, name),
          element('td', { class: 'number' }, formatCount(value)),
          element('td', { class: 'number' }, /Size|Offset|Stride/.test(name) && value >= 1e6 ? formatBytes(value) : ''),
        ),
      ),
    ),
  );
  byId('machine-details').hidden = false;
}

/** Without the adapter; the failure panel says why. */
export function showNoMachine(): void {
  byId('machine-wait').remove();
}

function addFacts(facts: Facts, where: 'first' | 'last' = 'last'): void {
  byId('machine-facts')[where === 'first' ? 'prepend' : 'append'](...factItems(facts));
}
