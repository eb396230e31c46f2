import { deploymentScenarios } from './deployment.ts'
import { testGoldenPlans } from './golden.ts'

testGoldenPlans('deployment', deploymentScenarios)
