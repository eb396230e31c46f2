import { parentPort, workerData } from 'node:worker_threads'
import { readTree } from './tree.ts'

// Reads the one document it was started with.
parentPort?.postMessage(readTree(workerData as string))
