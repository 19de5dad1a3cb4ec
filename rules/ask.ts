/**
 * Asks one rule of everything in a picture, outside any step: for the operator who tries a rule before it
 * is put in force. It raises nothing.
 */
import type { Picture } from './model.ts';
import type { Rule } from './rule.ts';
import { type ReadyRule, rulebookOf, rulesOn, summaryText, valuesRead } from './rulebook.ts';
import { idOf } from './scene.ts';
import { scopeOf, surroundingsOf, type Thing } from './views.ts';

export interface AnswerOf {
  readonly subject: string;
  readonly holds: boolean | 'unknown';
  readonly values: Readonly<Record<string, string | number | boolean>>;
  readonly summary: string;
}

function thingsOf(picture: Picture): readonly Thing[] {
  return [
    ...picture.components
      .filter((one) => !one.ignored && !one.unproven)
      .map((thing): Thing => ({ kind: 'component', thing })),
    ...picture.groups.map((thing): Thing => ({ kind: 'group', thing })),
    ...picture.sights.map((thing): Thing => ({ kind: 'source', thing })),
    ...picture.services.map((thing): Thing => ({ kind: 'service', thing })),
    { kind: 'node' },
  ];
}

/** What the rule says of each thing it is on. */
export function askRule(rule: Rule, picture: Picture): readonly AnswerOf[] {
  const book = rulebookOf([rule]);
  const around = surroundingsOf(0, picture.advice);
  return thingsOf(picture).flatMap((thing) => {
    const subject = idOf(thing);
    return rulesOn(book, thing.kind, subject).map((ready: ReadyRule): AnswerOf => {
      const scope = scopeOf(thing, around);
      const said = ready.condition.run(scope);
      return {
        subject,
        holds: typeof said === 'boolean' ? said : 'unknown',
        values: valuesRead(ready, scope),
        summary: said === true ? summaryText(ready, scope) : '',
      };
    });
  });
}
