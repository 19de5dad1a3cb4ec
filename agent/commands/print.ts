/** Where commands print: one place, so that a closed pipe or a full disk is handled once, in main. */

export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** One line of trouble, with the program's name in front. */
export function complain(text: string): void {
  process.stderr.write(`nospof: ${text}\n`);
}

/** Lines that bring their own place (`FILE:LINE:COLUMN: ...`), as editors jump to. */
export function complainLines(text: string): void {
  if (text !== '') process.stderr.write(`${text}\n`);
}
