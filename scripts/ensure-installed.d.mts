/** A command for npm and its arguments, as this machine runs it. */
export function npmCommand(...args: string[]): { command: string; args: string[]; shell: boolean };
