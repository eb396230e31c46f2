export { type Effect, readEffects } from './effects.ts'
export { type Injection, inject } from './inject.ts'
export { LocalProvider, type LocalProviderOptions } from './provider.ts'
