/** The kinds of letters: how what waits becomes an event for whichever program serves when its turn comes. */
import type { Answer } from '../../engine/index.ts'
import type { GuestEvent, RouteView, Sender, ServiceAnswer } from '../contract/api/index.ts'
import type { JsonValue } from '../contract/index.ts'
import type { CallResult, Letter } from './mailbox.ts'
import type { Program } from './program.ts'
import type { Subscription } from './subscription.ts'

export function messageLetter(
  topic: string,
  from: Sender,
  body: JsonValue,
  done?: (result: CallResult) => void,
): Letter {
  return {
    toEvent(program) {
      const subscription = program.listensTo(topic)
      return subscription === undefined ? undefined : { event: 'message', subscription, topic, from, body }
    },
    ...(done === undefined ? {} : { done }),
  }
}

export function queryLetter(name: string, argument: JsonValue, done: (result: CallResult) => void): Letter {
  return {
    toEvent(program) {
      const subscription = program.answers(name)
      return subscription === undefined ? undefined : { event: 'query', subscription, argument }
    },
    done,
  }
}

/** A letter for one subscription of one program; nobody else's. @param event made when the turn comes */
export function subscriptionLetter(
  program: Program,
  number: number,
  subscription: Subscription,
  event: () => GuestEvent | undefined,
): Letter {
  return {
    toEvent: (serving) =>
      serving === program && program.subscriptions.get(number) === subscription ? event() : undefined,
  }
}

export const timerEvent = (subscription: number): GuestEvent => ({ event: 'timer', subscription })

export const answerEvent = (subscription: number, answer: Answer): GuestEvent => ({
  event: 'answer',
  subscription,
  answer,
})

export const routeEvent = (subscription: number, route: RouteView | null): GuestEvent => ({
  event: 'route',
  subscription,
  route,
})

export const serviceEvent = (subscription: number, answer: ServiceAnswer): GuestEvent => ({
  event: 'service',
  subscription,
  answer,
})
