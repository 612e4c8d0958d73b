/** The form and the request it stands for, both ways. What may be is checked where addresses are, in `request.ts`. */
import { byId, element } from '../../src/page/dom.ts';
import { architectures } from '../../src/models/network.ts';
import { forceablePasses, passNames } from '../../src/scheduler/schedule.ts';
import type { BenchSection } from '../options.ts';
import { DEFAULT_REQUEST, parseParameter, SWEEP_C0, toSearchParams, type BenchRequest, type ParameterName } from '../request.ts';
import { isSearch, parseSearch, type SearchReport } from '../search/report.ts';
import { peerChoices } from './peer-choices.ts';

const SECTION_TEXTS: Readonly<Record<BenchSection, readonly [string, string]>> = {
  times: ['Whole inferences', 'from handing over the input to having the result'],
  layers: ['Layer by layer', 'each dispatch alone, against what this adapter could do; measures the adapter, too'],
  adapter: ['The adapter itself', 'peak arithmetic, bandwidth, and what an empty dispatch costs'],
  scaling: ['Scaling', 'twice the image size, and eight times the batch'],
};

/** Fields of text: the parameter, the element's id, and what to call it in messages. */
const TEXT_FIELDS: readonly (readonly [ParameterName, string, string])[] = [
  ['c0', 'c0', 'C₀'],
  ['size', 'size', 'Height and width'],
  ['batch', 'batch', 'Batch'],
  ['runs', 'runs', 'Measured runs'],
  ['seed', 'seed', 'Seed'],
  ['inner', 'inner', 'Behind each convolution'],
  ['groups', 'groups', 'Shuffle groups'],
  ['classes', 'classes', 'Classes'],
];
/** Absent from the request when empty. */
const OPTIONAL: readonly ParameterName[] = ['size', 'inner', 'groups', 'classes'];

/** From a file or the address, which no field shows. */
let givenDepths: BenchRequest['depths'];
/** Where the depths are from, if that is a search. */
let givenSearch: SearchReport | undefined;

/** Puts the choices in; `onChange` is called whenever the request may have changed. */
export function buildForm(onChange: () => void): void {
  byId('networks').append(...architectures.map((name) => chip('networks', name)));
  byId('passes').append(...passNames.map((name) => chip('passes', name)));
  byId('forced').append(...forceablePasses.map((name) => chip('forced', name)));
  byId('sections').append(
    ...Object.entries(SECTION_TEXTS).map(([name, [title, text]]) => option('checkbox', 'sections', name, title, text)),
  );
  byId('peers').append(
    ...peerChoices('Suspending' in WebAssembly).map(({ name, title, downloadMegabytes }) =>
      option('checkbox', 'peers', name, title, `downloads ${downloadMegabytes} MB`),
    ),
  );
  byId('dtypes').append(
    option('radio', 'dtypes', 'f32', 'f32', 'four bytes each'),
    option('radio', 'dtypes', 'f16', 'f16', 'two bytes each, sums in f32'),
  );
  byId('schedules').append(
    option('radio', 'schedules', 'optimized', 'Optimized', 'no dispatch is spent on moving channels'),
    option('radio', 'schedules', 'reference', 'Reference', 'every CompConv as its plain recursive sub-dispatches'),
  );
  const setC0 = (values: readonly number[]) => {
    field('c0').value = values.join(', ');
    onChange();
  };
  for (const button of document.querySelectorAll<HTMLElement>('[data-c0]')) {
    button.addEventListener('click', () => setC0([Number(button.dataset['c0'])]));
  }
  byId('sweep').addEventListener('click', () => setC0(SWEEP_C0));
  byId('remove-depths').addEventListener('click', () => setDepths(undefined, onChange));
  byId('form').addEventListener('input', onChange);
}

/** f16 where the adapter stores it; else its option says why not. */
export function allowF16(isAllowed: boolean): void {
  const input = inputs('dtypes').find(({ value }) => value === 'f16')!;
  input.disabled = !isAllowed;
  input.parentElement!.querySelector('.option-text')!.textContent = isAllowed
    ? 'two bytes each, sums in f32'
    : 'not here: this adapter lacks shader-f16';
}

/** Reads a file of depths by layer, or of a search for them. @throws invalid-argument, invalid-file saying what is wrong */
export async function takeDepthFile(file: File, onChange: () => void): Promise<void> {
  const text = await file.text();
  const search = isSearch(text) ? parseSearch(text) : undefined;
  const { depths } = search ?? parseParameter('depths', text, file.name);
  setDepths(depths, onChange, file.name, search);
}

/** The search that the depths are from, which knows why. */
export function searchOfDepths(): SearchReport | undefined {
  return givenSearch;
}

function setDepths(depths: BenchRequest['depths'], onChange: () => void, name = 'the address', search?: SearchReport): void {
  givenDepths = depths;
  givenSearch = search;
  showDepths(name);
  onChange();
}

function showDepths(name: string): void {
  const count = givenDepths && Object.keys(givenDepths).length;
  byId('depths-text').replaceChildren(
    ...(count === undefined
      ? [
          'Optional: JSON such as ',
          element('code', {}, '{"layer4.2.conv2": 3, "conv1": 0}'),
          ', or what ',
          element('code', {}, 'compconv search'),
          ' wrote. Layers that it leaves out follow C₀.',
        ]
      : [`Depths of ${count} layer${count === 1 ? '' : 's'} from ${name}.`]),
  );
  byId('remove-depths').hidden = count === undefined;
}

/** Fills the form. */
export function writeForm(request: BenchRequest): void {
  const { networks, sections, peers, dtype, schedule, withoutPasses, forcedPasses } = request;
  givenDepths = request.depths;
  givenSearch = undefined;
  showDepths('the address');
  tick('networks', networks);
  tick('sections', sections);
  tick('peers', peers);
  tick('dtypes', [dtype]);
  tick('schedules', [schedule]);
  tick(
    'passes',
    passNames.filter((name) => !withoutPasses.includes(name)),
  );
  tick('forced', forcedPasses);
  field('c0').value = request.c0.join(', ');
  field('size').value = String(request.size ?? '');
  field('batch').value = String(request.batch);
  field('runs').value = String(request.runs);
  field('seed').value = String(request.seed);
  field('inner').value = request.inner === 'bn-relu' ? 'bn-relu' : '';
  field('groups').value = String(request.shuffleGroups ?? '');
  field('classes').value = String(request.classes ?? '');
  const isUsual = ['dtype', 'schedule', 'without', 'force', 'inner', 'groups', 'classes'].every(
    (name) => !toSearchParams(request).has(name),
  );
  if (!isUsual) byId<HTMLDetailsElement>('more').open = true;
}

/** What the form asks for. @throws invalid-argument naming the field */
export function readForm(): BenchRequest {
  const texts = TEXT_FIELDS.filter(([name, id]) => !OPTIONAL.includes(name) || field(id).value.trim() !== '');
  const parts = [
    parseParameter('networks', ticked('networks').join(','), 'Networks'),
    parseParameter('sections', ticked('sections').join(','), 'Measurements'),
    parseParameter('peers', ticked('peers').join(','), 'Other engines'),
    parseParameter('dtype', ticked('dtypes').join(), 'Storage'),
    parseParameter('schedule', ticked('schedules').join(), 'Schedule'),
    parseParameter('without', passNames.filter((name) => !ticked('passes').includes(name)).join(','), 'Passes'),
    parseParameter('force', ticked('forced').join(','), 'Forced passes'),
    ...texts.map(([name, id, calledAs]) => parseParameter(name, field(id).value, calledAs)),
  ];
  return Object.assign({}, DEFAULT_REQUEST, givenDepths && { depths: givenDepths }, ...parts) as BenchRequest;
}

function field(id: string): HTMLInputElement {
  return byId<HTMLInputElement>(id);
}

function inputs(group: string): HTMLInputElement[] {
  return [...byId(group).querySelectorAll('input')];
}

function ticked(group: string): string[] {
  return inputs(group).flatMap(({ checked, value }) => (checked ? value : []));
}

function tick(group: string, values: readonly string[]): void {
  for (const input of inputs(group)) input.checked = values.includes(input.value);
}

function chip(group: string, name: string): HTMLElement {
  return element('label', { class: 'chip' }, element('input', { type: 'checkbox', name: group, value: name }), name);
}

function option(type: 'checkbox' | 'radio', group: string, value: string, title: string, text: string): HTMLElement {
  return element(
    'label',
    { class: 'option' },
    element('input', { type, name: group, value }),
    element('span', { class: 'option-title' }, title),
    ' ',
    element('span', { class: 'option-text' }, text),
  );
}
