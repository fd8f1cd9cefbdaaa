import groovy.json.JsonSlurper
import org.junit.Test

/** Pipelines with the real command, on the sandbox; `sandbox.json` beside the pipelines says how it is reached. */
class SandboxTest extends DeclarativeTest {
    /** One build after another: in a workspace that is the deployment repository. */
    void build(String pipeline, Map parameters, Closure answered = { null }) {
        def known = new JsonSlurper().parse(new File(System.getProperty('pipelines'), 'sandbox.json'))
        workspace = new File(known.repository)
        shell = new Shell(workspace)
        system = known.environment
        answer = answered
        build.clear()
        build.putAll([result: 'SUCCESS', description: null, displayName: null])
        failed = false
        [stagesRun, stagesSkipped, inputs, published].each { it.clear() }
        start("sandbox/${pipeline}.Jenkinsfile", parameters)
    }

    @Test
    void anAppIsDeployedDriftIsSeenAndARollbackIsChosen() {
        def known = new JsonSlurper().parse(new File(System.getProperty('pipelines'), 'sandbox.json'))
        def app = known.app
        def chosen = [STAGE: 'local', REGION: 'london', APP: app, CONFIRMED: false]

        build('deploy', chosen + [VERSION: '1'])
        assert build.result == 'SUCCESS'
        assert build.description == "local ${app} 1: deployed in london".toString()
        def cases = new XmlSlurper().parse(new File(workspace, 'deploy-report/deploy.xml')).testsuite.testcase
        assert cases*.@name*.text() == ['london'] && cases.failure.size() == 0

        build('drift', [:])
        assert build.result == 'SUCCESS', build.description

        build('deploy', chosen + [VERSION: '2'])
        assert build.description == "local ${app} 2: deployed in london".toString()

        build('drift', [:])
        assert build.result == 'UNSTABLE' // the app's file says 1
        assert build.description.contains('planned in london')

        build('rollback', [STAGE: 'local', REGION: 'london', APP: app]) { question ->
            def choices = question.parameters[0].choices.readLines()
            assert choices.size() == 1 && choices[0].contains(' · 1 · ')
            return choices[0]
        }
        assert build.result == 'SUCCESS'
        assert build.description.contains("local ${app} 1: restored in london".toString())

        build('deploy', chosen + [APP: '$(touch pwned)', VERSION: '1'])
        assert build.result == 'FAILURE'
        assert build.description == 'there is no app $(touch pwned)'
        assert !new File(workspace, 'pwned').exists()
    }
}
