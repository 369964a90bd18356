/**
 * The life of a plugin instance as a state machine. The one idea: one table says every exit of every state; the code
 * moves only along it, the documentation is made from it, and an event that a state does not know is refused.
 */

export const STATES = [
  'installed',
  'starting',
  'running',
  'upgrading',
  'recovering',
  'failed',
  'quarantined',
  'stopping',
  'stopped',
  'removed',
] as const
export type State = (typeof STATES)[number]

export const EVENTS = [
  'start',
  'ready',
  'refused',
  'upgrade',
  'switched',
  'lost',
  'culprit',
  'stop',
  'drained',
  'remove',
] as const
export type Event = (typeof EVENTS)[number]

/** What each state means. */
export const MEANINGS: Readonly<Record<State, string>> = {
  installed: 'authenticated and kept; nothing runs',
  starting: 'its code is loaded and set up; nothing of it is in the engine yet',
  running: 'it decides',
  upgrading: 'it decides, while another version is prepared; at the end what comes waits for the switch',
  recovering: 'its sandbox or its instance is gone; pinned flows go on, new ones get the fallback',
  failed: 'it could not be started; what it held it still holds, new flows get the fallback',
  quarantined:
    'it did harm too often; as failed, until an operator starts it or puts another version in its place',
  stopping: 'it decides no more; its last flows drain',
  stopped: 'nothing of it is left in the engine',
  removed: 'forgotten',
}

/** What each event is. */
export const CAUSES: Readonly<Record<Event, string>> = {
  start: 'an operator starts it, with the same version or another',
  ready: 'setup was carried out',
  refused: 'loading, setup, moving the state or what it asked for was refused, or took too long',
  upgrade: 'an operator brings another version, or goes back to the one before',
  switched: 'the other version has taken over',
  lost: 'the instance or its sandbox came to an end',
  culprit: 'it brought itself or its sandbox down too often',
  stop: 'an operator stops it',
  drained: 'its last flow is over, or they were purged',
  remove: 'an operator forgets it',
}

/** State -> event -> next state. What is not here is refused. */
export const LIFE: Readonly<Record<State, Readonly<Partial<Record<Event, State>>>>> = {
  installed: { start: 'starting', stop: 'stopped', remove: 'removed' },
  starting: { ready: 'running', refused: 'failed', lost: 'failed', culprit: 'quarantined', stop: 'stopping' },
  running: { upgrade: 'upgrading', lost: 'recovering', culprit: 'quarantined', stop: 'stopping' },
  upgrading: {
    switched: 'running',
    refused: 'running',
    lost: 'recovering',
    culprit: 'quarantined',
    stop: 'stopping',
  },
  recovering: {
    ready: 'running',
    refused: 'failed',
    lost: 'recovering',
    culprit: 'quarantined',
    stop: 'stopping',
  },
  failed: { start: 'starting', stop: 'stopping' },
  quarantined: { start: 'starting', stop: 'stopping' },
  stopping: { drained: 'stopped' },
  stopped: { start: 'starting', remove: 'removed' },
  removed: {},
}

/** The state after an event, or undefined when the state does not know it. */
export function nextState(state: State, event: Event): State | undefined {
  return LIFE[state][event]
}

/** The table as documentation: a row for each exit. */
export function lifeTable(): string {
  const rows = STATES.flatMap((state) =>
    Object.entries(LIFE[state]).map(
      ([event, next]) => `| ${state} | ${event} | ${next} | ${CAUSES[event as Event]} |`,
    ),
  )
  return ['| state | event | next | when |', '|---|---|---|---|', ...rows].join('\n')
}

/** The table as a drawing (Mermaid): an arrow for each exit. */
export function lifeDrawing(): string {
  const arrows = STATES.flatMap((state) =>
    Object.entries(LIFE[state]).map(([event, next]) => `  ${state} --> ${next}: ${event}`),
  )
  return [
    '```mermaid',
    'stateDiagram-v2',
    '  [*] --> installed: install',
    ...arrows,
    '  removed --> [*]',
    '```',
  ].join('\n')
}
