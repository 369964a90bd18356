/** The bounds of the control protocol: what one message, one session and one server may cost. */

/** Longest text message that a router reads, in bytes. */
export const MAX_REQUEST_BYTES = 131_072
/** Bytes of a bundle in one binary message, behind its four bytes of upload number. */
export const UPLOAD_CHUNK_BYTES = 65_536
/** Longest message of either kind that a router takes in. */
export const MAX_MESSAGE_BYTES = MAX_REQUEST_BYTES
/** Longest answer that a router gives; a query that wants more must be narrowed. */
export const MAX_ANSWER_BYTES = 4 << 20
/** What may wait for a reader; one that is slower is disconnected. */
export const MAX_OUTGOING_BYTES = 8 << 20
/** While more than this waits for a reader, watches skip their turns. */
export const WATCH_PAUSE_BYTES = 256 << 10
/** Nesting and number of values in a request. */
export const MAX_REQUEST_DEPTH = 32
export const MAX_REQUEST_VALUES = 16_384

/** Requests of one session that are carried out at the same time; more wait unread. */
export const MAX_IN_FLIGHT = 8
/** Messages a second of one session, and at once; more wait unread. */
export const MESSAGES_PER_SECOND = 100
export const MESSAGE_BURST = 400

export const MAX_WATCHES_PER_SESSION = 16
export const LEAST_WATCH_MS = 100
/** Rows that one answer may give over the control protocol. */
export const MAX_ROWS = 10_000
/** Lines of a log in one answer. */
export const MAX_LOG_LINES = 1_000
