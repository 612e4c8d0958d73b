/** Addresses of files, as the page or worker understands them; apart from downloads, for pages that only connect to a worker. */
import { CompConvError, isNode, show } from '../errors.ts';

/**
 * An address as an absolute one.
 * @param base where there is no page, what a relative one is relative to
 * @throws invalid-argument for what is none
 */
export function resolveAddress(address: string | URL, base?: string): string {
  try {
    // It would be the page itself.
    if (address === '') throw new TypeError('it is empty');
    return new URL(address, globalThis.document?.baseURI ?? globalThis.location?.href ?? base).href;
  } catch (cause) {
    throw new CompConvError('invalid-argument', `${show(String(address))} is no address of a file; ${localFileAdvice()}`, { cause });
  }
}

export function localFileAdvice(): string {
  return `of a local file pass ${isNode() ? '`await fileBlob(path)`, of compconv-webgpu/node' : 'the File, or its bytes'}`;
}
