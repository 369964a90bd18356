/** The door to Linux: drivers on real devices and the system calls below them. Loads nothing before it is used. */
export * from './libc.ts'
export * from './memory.ts'
export * from './namespace.ts'
export * from './system-error.ts'
export * from './wait.ts'
