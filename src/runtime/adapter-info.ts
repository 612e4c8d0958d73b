/** What to call an adapter in front of people, and whether it is a GPU at all. Browsers leave much of the information out. */

/** Whether the adapter computes on the processor: right, but slow. */
export function isSoftwareAdapter(info: Partial<GPUAdapterInfo>): boolean {
  const names = [info.vendor, info.architecture, info.device, info.description].join(' ');
  return info.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|\bwarp\b|basic render/i.test(names);
}

/** For people, for example `swiftshader-device-subzero (google, swiftshader), software`. */
export function describeAdapter(info: Partial<GPUAdapterInfo>): string {
  const makers = [info.vendor, info.architecture].filter(Boolean).join(', ');
  const name = (info.device || info.description || '').replace(/-+$/, '');
  const what = name && makers ? `${name} (${makers})` : name || makers || 'unnamed adapter';
  return isSoftwareAdapter(info) ? `${what}, software` : what;
}
