/**
 * The one sentence a tired operator reads first. It never says more than was seen: a group whose
 * margin may be below zero takes away the words NOTHING LOST, and blindness is always counted aloud.
 */
import type { Component, Group, Picture, Sight, Standing } from '../../rules/model.ts';
import { count } from './words.ts';

/** How many groups are in each standing. */
export type Counts = Readonly<Record<Standing, number>>;

export function standingCounts(groups: readonly Group[]): Counts {
  const counts = { lost: 0, exposed: 0, unknown: 0, redundant: 0 };
  for (const group of groups) counts[group.standing] += 1;
  return counts;
}

/** Sources that may hide something: they could not be read, or not for too long. */
export function cannotSee(sight: Sight): boolean {
  return sight.state === 'blind' || sight.state === 'stale';
}

function lostWord(counts: Counts, groups: readonly Group[]): string {
  if (counts.lost > 0) return `${counts.lost} LOST`;
  const doubtful = groups.some((group) => group.standing === 'unknown' && group.margin.low < 0);
  return doubtful ? 'NOTHING SEEN LOST' : 'NOTHING LOST';
}

function groupWords(groups: readonly Group[]): string {
  const counts = standingCounts(groups);
  const words = [lostWord(counts, groups)];
  if (counts.exposed > 0) words.push(`${counts.exposed} EXPOSED`);
  else if (counts.lost === 0 && counts.unknown === 0) words.push('NOTHING EXPOSED');
  if (counts.unknown > 0) words.push(`${counts.unknown} UNKNOWN`);
  const degraded = groups.filter(
    (group) => group.standing === 'redundant' && group.degraded,
  ).length;
  words.push(`${counts.redundant} redundant${degraded > 0 ? ` (${degraded} degraded)` : ''}`);
  return words.join(', ');
}

function lonerWords(loners: readonly Component[]): readonly string[] {
  const failed = loners.filter(({ health }) => health === 'failed' || health === 'absent').length;
  const failing = loners.filter(({ health }) => health === 'failing').length;
  const words: string[] = [];
  if (failed > 0) words.push(`${failed} FAILED`);
  if (failing > 0) words.push(`${failing} failing`);
  return words.length === 0 ? [] : [`outside groups ${words.join(', ')}`];
}

function sightWords(sights: readonly Sight[]): readonly string[] {
  const blind = sights.filter(cannotSee).length;
  const waiting = sights.filter(({ state }) => state === 'waiting').length;
  const words: string[] = [];
  if (blind > 0) words.push(`${count(blind, 'source')} cannot see`);
  if (waiting > 0) words.push(`${count(waiting, 'source')} not read yet`);
  return words;
}

/** The headline; `loners` are the components that are in no group. */
export function headlineText(picture: Picture, loners: readonly Component[]): string {
  const waiting = picture.sights.filter(({ state }) => state === 'waiting').length;
  let opening = groupWords(picture.groups);
  if (picture.groups.length === 0) {
    opening =
      waiting > 0
        ? 'Looking: nothing redundant seen so far'
        : 'Nothing redundant is visible on this machine';
  }
  return [opening, ...lonerWords(loners), ...sightWords(picture.sights)].join('; ');
}

/** Why the headline says so little, when it does; empty while there are groups to speak of. */
export function whyText(picture: Picture): string {
  if (picture.groups.length > 0) return '';
  const none = picture.sights.filter(({ state }) => state === 'none').length;
  const seen = picture.sights.filter(({ state }) => state === 'seen').length;
  const blind = picture.sights.find(cannotSee);
  const parts: string[] = [];
  if (picture.sights.length === 0) parts.push('no source is enabled');
  if (seen > 0 && picture.components.length === 0) {
    parts.push(`${count(seen, 'source sees', 'sources see')} nothing that could fail`);
  } else if (seen > 0) {
    parts.push(
      `${count(seen, 'source sees', 'sources see')} ${count(picture.components.length, 'component')}, but none that stands in for another`,
    );
  }
  if (none > 0) parts.push(`${count(none, 'source')} found nothing of their sort`);
  if (blind !== undefined) parts.push(`${blind.id} cannot see: ${blind.why}`);
  return parts.join('; ');
}
