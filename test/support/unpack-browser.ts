/**
 * Before the browser tests, which run side by side: launches the browser once, so that it is unpacked by one process and not by two
 * at the same time. What is wrong with it is the tests' to say.
 */
import { launchBrowser } from '../../cli/browser.ts';

export async function setup(): Promise<void> {
  await launchBrowser().then(
    (browser) => browser.close(),
    () => {},
  );
}
