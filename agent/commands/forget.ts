/**
 * Tells the running agent that an absent component will not come back, so that it is no longer missed.
 * The agent decides: one that is still there cannot be forgotten.
 */
import { type Answer, ask } from '../api/client.ts';
import { FORMATS } from '../config/words.ts';
import type { ParsedArgs } from './args.ts';
import { complain, print } from './print.ts';
import { findSocket } from './socket.ts';

/** What the agent says of its refusal, if it says anything. */
function reason(body: string): string | undefined {
  try {
    const { error, message } = JSON.parse(body) as { error?: unknown; message?: unknown };
    return [message, error].find((text): text is string => typeof text === 'string');
  } catch {
    return undefined;
  }
}

export async function run(args: ParsedArgs): Promise<number> {
  const [component = ''] = args.operands;
  const complaint = FORMATS.component?.(component);
  if (complaint !== undefined) {
    complain(`${complaint.message} (write KIND/NAME as nospof status shows it)`);
    return 2;
  }
  const socket = await findSocket(args);
  if (!socket.ok) {
    complain(socket.message);
    return 2;
  }
  let answer: Answer;
  try {
    answer = await ask(socket.path, '/api/v1/forget', JSON.stringify({ component }));
  } catch (error) {
    complain((error as Error).message);
    return 1;
  }
  if (answer.status < 200 || answer.status > 299) {
    const why = reason(answer.body) ?? `status ${answer.status}`;
    complain(`${component} is not forgotten: ${why.slice(0, 300)}`);
    return 1;
  }
  print(`${component} is forgotten`);
  return 0;
}
