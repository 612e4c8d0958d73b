/** What the engine runs on besides the adapter: browser, operating system, isolation. As names and versions for the report. */
import { version } from '../../package.json';

/** Chromium's; other browsers have the user agent string alone. */
interface UserAgentData {
  readonly brands: readonly { readonly brand: string; readonly version: string }[];
  readonly platform: string;
  getHighEntropyValues(hints: readonly string[]): Promise<{
    readonly fullVersionList?: readonly { readonly brand: string; readonly version: string }[];
    readonly platformVersion?: string;
    readonly architecture?: string;
  }>;
}

/** For `BenchReport.versions`. */
export async function readVersions(): Promise<Record<string, string>> {
  const { userAgent, hardwareConcurrency } = navigator;
  const data = (navigator as { readonly userAgentData?: UserAgentData }).userAgentData;
  const told = await data?.getHighEntropyValues(['fullVersionList', 'platformVersion', 'architecture']).catch(() => undefined);
  const brand = (told?.fullVersionList ?? data?.brands)?.find(isNamed);
  const system = [data?.platform, told?.platformVersion, told?.architecture].filter(Boolean).join(' ');
  return {
    engine: version,
    browser: brand ? `${brand.brand} ${brand.version}` : browserOf(userAgent),
    os: system || systemOf(userAgent),
    isolation: globalThis.crossOriginIsolated ? `isolated, ${hardwareConcurrency} threads` : 'not isolated, 1 thread',
  };
}

/** Browsers name themselves beside names that are made up, and beside what they are made of. */
function isNamed({ brand }: { readonly brand: string }): boolean {
  return brand !== 'Chromium' && !/not.*brand/i.test(brand);
}

/** `Firefox 141.0` */
export function browserOf(userAgent: string): string {
  const forms: readonly [string, RegExp][] = [
    ['Edge', /Edg(?:A|iOS)?\/([\d.]+)/],
    ['Firefox', /(?:Firefox|FxiOS)\/([\d.]+)/],
    ['Chrome', /(?:Headless)?(?:Chrome|CriOS)\/([\d.]+)/],
    ['Safari', /Version\/([\d.]+).*Safari/],
  ];
  const found = forms.map(([name, form]) => ({ name, version: form.exec(userAgent)?.[1] })).find(({ version }) => version);
  return found ? `${found.name} ${found.version}` : userAgent;
}

/** `Windows NT 10.0`; browsers freeze it, so that newer systems may hide behind. */
export function systemOf(userAgent: string): string {
  const [platform = ''] = /\(([^)]*)\)/.exec(userAgent)?.slice(1) ?? [];
  const parts = platform.split(/;\s*/);
  // An Android names Linux, too.
  const forms = [/^Windows NT/, /^Android/, /^CPU (?:iPhone )?OS/, /Mac OS X/, /^CrOS/, /^Linux/];
  const known = forms.map((form) => parts.find((part) => form.test(part))).find((part) => part !== undefined);
  const name = (known ?? parts[0] ?? '').replace(/^Intel /, '').replace(/^CPU (?:iPhone )?OS ([\d_]+).*/, 'iOS $1');
  return /^(Mac|iOS)/.test(name) ? name.replaceAll('_', '.') : name;
}
