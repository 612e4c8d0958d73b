/** @returns how often a test repeats something: `few` in `npm test`, `many` in `npm run soak` */
export const rounds = (few: number, many: number): number => (process.env['COMPCONV_SOAK'] ? many : few);
