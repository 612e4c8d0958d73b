/** @returns what a test goes through, or how often: `few` in `npm test`, `many` in `npm run soak` */
export const rounds = <T>(few: T, many: T): T => (process.env['COMPCONV_SOAK'] ? many : few);
