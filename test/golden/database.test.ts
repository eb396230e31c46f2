import { databaseScenarios } from './database.ts'
import { testGoldenPlans } from './golden.ts'

testGoldenPlans('database', databaseScenarios)
