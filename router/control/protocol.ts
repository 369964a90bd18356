/** What both ends of the control protocol must say for a session to begin. */

/** Path of the upgrade; another version of the protocol has another one. */
export const CONTROL_PATH = '/control/1'
/** Subprotocol of the WebSocket. */
export const CONTROL_PROTOCOL = 'pronto-control.1'
