import org.junit.Before
import org.junit.Test

/** The example's pipelines, with a command in the place of `./wrapper` that writes down how it is called. */
class PipelinesTest extends DeclarativeTest {
    static final PLAN = 'Deployment/web: image changes\n'

    @Override
    @Before
    void setUp() {
        super.setUp()
        def wrapper = new File(workspace, 'wrapper')
        wrapper << '''#!/bin/sh
            [ "$1" != jenkins ] || [ ! -e hangs ] || ls wound-down > /dev/null || exit 70
            printf '%s|' "$@" >> calls
            printf '\\n' >> calls
            kind=$1
            case $kind in plan | history | rollback | status | jenkins) ;; *) kind=deploy ;; esac
            if [ "$1" = jenkins ] && [ "$2" = report ]; then
                touch "$5"
            fi
            if [ "$kind" = deploy ] && [ -e hangs ]; then
                trap 'sleep 1; touch wound-down; exit 143' TERM
                touch begun
                while :; do sleep 0.1; done
            fi
            for name in "$kind.$2" "$kind"; do
                [ ! -e "answers.$name" ] || { cat "answers.$name"; break; }
            done
            for name in "$kind.$2" "$kind"; do
                [ ! -e "code.$name" ] || exit "$(cat "code.$name")"
            done
        '''.stripIndent()
        wrapper.executable = true
        system = [PATH: System.getenv('PATH')]
        answers('jenkins.report', 'told\n')
    }

    void answers(String kind, String text) { new File(workspace, "answers.${kind}").text = text }

    void ends(String kind, int code) { new File(workspace, "code.${kind}").text = "${code}" }

    /** How the command was called, without the calls for reports. */
    List<String> getCalls() { allCalls.findAll { !it.startsWith('jenkins|report') } }

    List<String> getAllCalls() {
        def file = new File(workspace, 'calls')
        file.exists() ? file.readLines().collect { it[0..-2] } : []
    }

    List<String> getDeployedTo() { calls*.split('[|]').findAll { it[0] == 'prod' }*.getAt(1) }

    static String example(String name) { "jenkins/${name}.Jenkinsfile" }

    // --- one app, one region ----------------------------------------------------------------------------------------

    @Test
    void deploysOneAppToOneRegionOnItsAgent() {
        assert start(example('deploy'), [STAGE: 'dev', REGION: 'london', APP: 'web', VERSION: '', CONFIRMED: false]) == 'SUCCESS'
        assert stagesRun == ['london', 'Deploy to london']
        assert labels == ['Deploy to london: deploy']
        assert calls == ['dev|london|web|--lock-wait=30m|--json']
        assert allCalls.last() == 'jenkins|report|deploy-report/deploy.json|--junit|deploy-report/deploy.xml'
        assert build.description == 'told'
        assert build.displayName == '#7 dev london web'
        assert archived == ['deploy-report/deploy.*']
        assert published*.testResults == ['deploy-report/deploy.xml']
        assert timeouts == [[time: 120, unit: 'MINUTES']]
        assert defined.STAGE == ['dev', 'preprod', 'prod'] && defined.REGION == ['london', 'seoul', 'virginia']
        assert defined.APP == ['api', 'web']
    }

    @Test
    void whatIsTypedReachesTheCommandAndNoShell() {
        def version = '1"; touch pwned; $(touch pwned) `touch pwned` \' --yes'
        start(example('deploy'), [STAGE: 'dev', REGION: 'london', APP: '$(touch pwned)', VERSION: version, CONFIRMED: true])
        assert calls == ["dev|london|\$(touch pwned)|--version=${version}|--yes|--lock-wait=30m|--json".toString()]
        assert !new File(workspace, 'pwned').exists()
    }

    @Test
    void aFailedDeploymentFailsTheBuildAndIsReported() {
        ends('deploy', 1)
        assert start(example('deploy'), [STAGE: 'dev', REGION: 'london', APP: 'web']) == 'FAILURE'
        assert build.description == 'told' && published.size() == 1
    }

    @Test
    void aBuildThatDoesNotKnowItsParametersYetDeploysNothing() {
        given = [STAGE: 'dev', REGION: 'london']
        assert start(example('deploy'), given) == 'FAILURE'
        assert calls.empty
    }

    @Test
    void anAbortIsWaitedForBeforeAnythingIsRead() {
        new File(workspace, 'hangs').createNewFile()
        shell.abortWhen = { new File(workspace, 'begun').exists() }
        assert start(example('deploy'), [STAGE: 'dev', REGION: 'london', APP: 'web']) == 'ABORTED'
        assert new File(workspace, 'wound-down').exists()
        assert build.description == 'told' // the command in the wrapper's place refuses a report before that
        assert !new File(workspace, 'deploy-report/deploy.pid').exists()
    }

    @Test
    void credentialsAreThoseOfTheStage() {
        start(example('deploy'), [STAGE: 'preprod', REGION: 'london', APP: 'web'])
        assert credentials*.credentialsId == ['aws-staging', 'github-artefacts']
        assert credentials[0].'$class' == 'AmazonWebServicesCredentialsBinding'
        assert credentials[1].variable == 'GITHUB_TOKEN'
    }

    // --- production -------------------------------------------------------------------------------------------------

    @Test
    void productionIsAskedForWithThePlan() {
        answers('plan', PLAN)
        ends('plan', 3)
        answer = { question ->
            assert calls == ['plan|prod|seoul|web|--exit-code']
            return null
        }
        assert start(example('deploy'), [STAGE: 'prod', REGION: 'seoul', APP: 'web', VERSION: '']) == 'SUCCESS'
        assert stagesRun == ['seoul', 'Plan seoul', 'Approve seoul', 'Deploy to seoul']
        assert labels == ['Plan seoul: deploy && seoul', 'Deploy to seoul: deploy && seoul']
        assert inputs*.message == ["Deploy to prod?\n\n${PLAN}".toString()]
        assert inputs*.submitter == ['release-managers']
        assert calls[1] == 'prod|seoul|web|--yes|--lock-wait=30m|--json'
        assert timeouts[1] == [time: 1440, unit: 'MINUTES']
        assert echoed == [PLAN] && 'deploy-report/plan.*' in archived
        assert credentials[0].credentials == ['builder']
    }

    @Test
    void productionIsLeftAloneWhenItIsRefused() {
        answers('plan', PLAN)
        ends('plan', 3)
        answer = { throw new Interrupted('no') }
        assert start(example('deploy'), [STAGE: 'prod', REGION: 'seoul', APP: 'web']) == 'ABORTED'
        assert calls == ['plan|prod|seoul|web|--exit-code']
        assert 'Deploy to seoul' in stagesSkipped
    }

    @Test
    void productionIsLeftAloneWhenNothingWouldChangeOrThePlanFails() {
        assert start(example('deploy'), [STAGE: 'prod', REGION: 'seoul', APP: 'web']) == 'SUCCESS'
        assert calls == ['plan|prod|seoul|web|--exit-code'] && inputs.empty
    }

    @Test
    void aPlanThatFailsEndsTheBuild() {
        ends('plan', 5)
        assert start(example('waves'), [STAGE: 'prod', APP: 'web']) == 'FAILURE'
        assert calls == ['plan|prod|all|web|--exit-code'] && inputs.empty
    }

    // --- waves ------------------------------------------------------------------------------------------------------

    @Test
    void oneDeploymentGoesThroughTheWaves() {
        assert start(example('waves'), [STAGE: 'preprod', APP: 'web', VERSION: '2']) == 'SUCCESS'
        assert calls == ['preprod|all|web|--version=2|--lock-wait=30m|--json']
        assert labels == ['Deploy: deploy']
    }

    @Test
    void wavesAsStagesFollowEachOther() {
        answers('plan', PLAN)
        ends('plan', 3)
        assert start('stages/waves.Jenkinsfile', [STAGE: 'prod', APP: 'web']) == 'SUCCESS'
        assert stagesRun == [
            'prod', 'Plan prod', 'Plan prod.london', 'Plan prod.seoul', 'Plan prod.virginia', 'Approve prod',
            'prod, wave 1', 'prod.seoul', 'prod, wave 2', 'prod.london', 'prod.virginia',
        ]
        assert inputs*.message == ["Deploy to prod?\n\n${PLAN * 3}".toString()]
        assert deployedTo == ['seoul', 'london', 'virginia']
        def agents = ['london: deploy', 'seoul: deploy && seoul', 'virginia: deploy && virginia']
        assert labels.take(3) == agents.collect { "Plan prod.${it}".toString() }
        assert labels.drop(3) as Set == agents.collect { "prod.${it}".toString() } as Set
        assert build.description.readLines().size() == 3
    }

    @Test
    void aWaveThatFailsKeepsTheNextFromBeginning() {
        answers('plan', PLAN)
        ends('plan', 3)
        ends('deploy.seoul', 1)
        assert start('stages/waves.Jenkinsfile', [STAGE: 'prod', APP: 'web']) == 'FAILURE'
        assert deployedTo == ['seoul'] && 'prod, wave 2' in stagesSkipped
    }

    @Test
    void aRegionThatFailsDoesNotStopTheOthersOfItsWave() {
        answers('plan', PLAN)
        ends('plan', 3)
        ends('deploy.london', 1)
        assert start('stages/waves.Jenkinsfile', [STAGE: 'prod', APP: 'api']) == 'FAILURE'
        assert deployedTo == ['london', 'virginia'] // this app is not for Seoul
    }

    // --- all apps ---------------------------------------------------------------------------------------------------

    @Test
    void allAppsGoToStagingFirstAndToProductionWhenItIsApproved() {
        answers('plan', PLAN)
        ends('plan', 3)
        answer = { question ->
            assert calls*.split('[|]')*.getAt(0) == ['dev', 'preprod', 'plan']
            return null
        }
        assert start(example('all'), [GROUP: '', CHANGED_SINCE: '', CONFIRMED: false]) == 'SUCCESS'
        assert stagesRun == ['dev', 'preprod', 'Plan prod', 'Approve prod', 'prod']
        assert calls == [
            'dev|all|--all|--lock-wait=30m|--json',
            'preprod|all|--all|--lock-wait=30m|--json',
            'plan|prod|all|--all|--exit-code',
            'prod|all|--all|--yes|--lock-wait=30m|--json',
        ]
        assert build.description == 'told\ntold\ntold'
    }

    @Test
    void aStagingStageThatFailsKeepsProductionFromBeingAskedFor() {
        ends('deploy', 1)
        assert start(example('all'), [GROUP: 'shop', CHANGED_SINCE: 'v1']) == 'FAILURE'
        assert calls == ['dev|all|--group=shop|--changed-since=v1|--lock-wait=30m|--json']
        assert inputs.empty && stagesSkipped == ['preprod', 'Plan prod', 'Approve prod', 'prod']
    }

    @Test
    void productionIsNotAskedForWhereNothingWouldChange() {
        assert start(example('all'), [GROUP: '', CHANGED_SINCE: '']) == 'SUCCESS'
        assert inputs.empty && stagesSkipped == ['Approve prod', 'prod']
        assert calls.last() == 'plan|prod|all|--all|--exit-code'
    }

    @Test
    void anApprovalThatNobodyGivesEndsTheBuild() {
        answers('plan', PLAN * 1000)
        ends('plan', 3)
        answer = { throw new Interrupted('the time is over') }
        assert start(example('all')) == 'ABORTED'
        assert stagesSkipped == ['prod']
        assert inputs[0].message.length() < 6100 && inputs[0].message.endsWith('… the rest is in the log')
    }

    // --- rollback ---------------------------------------------------------------------------------------------------

    @Test
    void aRollbackGoesWhereItIsChosenToGo() {
        answers('jenkins.choices', '20261119-160211-77aa01 · 0.0.1 · anna\n20261118-160211-000000 · 0.0.0 · ben\n')
        answer = { question -> question.parameters[0].choices.readLines()[1] }
        assert start(example('rollback'), [STAGE: 'prod', REGION: 'all', APP: 'web']) == 'SUCCESS'
        assert calls == [
            'history|prod|all|web|--json',
            'jenkins|choices|deploy-report/history.json',
            'rollback|prod|all|web|--to=20261118-160211-000000|--yes|--lock-wait=30m|--json',
        ]
        assert inputs[0].submitter == 'release-managers'
        assert stagesRun == ['all', 'History of all', 'Choose for all', 'Roll back all']
        assert build.displayName == '#7 prod all web to 20261118-160211-000000'
        assert build.description == 'told' // of the rollback; a history is no report
        assert archived == ['deploy-report/history.*', 'deploy-report/rollback.*']
    }

    @Test
    void withoutAHistoryNobodyIsAsked() {
        ends('jenkins.choices', 2)
        assert start(example('rollback'), [STAGE: 'prod', REGION: 'seoul', APP: 'web']) == 'FAILURE'
        assert build.description == 'told'
        assert inputs.empty && calls.size() == 2
    }

    // --- drift ------------------------------------------------------------------------------------------------------

    @Test
    void noDriftIsASuccess() {
        assert start(example('drift')) == 'SUCCESS'
        assert crons == ['H 4 * * 1-5']
        assert calls.take(2) == ['plan|dev|all|--all|--exit-code|--json', 'status|dev|--exit-code|--json']
        assert calls.size() == 6 && published.size() == 6
    }

    @Test
    void driftMakesTheBuildUnstable() {
        ends('plan.preprod', 3)
        assert start(example('drift')) == 'UNSTABLE'
        assert calls.size() == 6
    }

    @Test
    void aStageThatCannotBeLookedAtFailsTheBuildAndKeepsNoOtherFromBeingLookedAt() {
        ends('status.dev', 5)
        ends('plan.prod', 3)
        start(example('drift'))
        assert build.result == 'FAILURE'
        assert calls.size() == 6
    }

    // --- settings that mean harm ------------------------------------------------------------------------------------

    @Test
    void settingsAreTextsAndNothingElse() {
        assert start('hostile/deploy.Jenkinsfile', [STAGE: 'preprod', REGION: 'london', APP: 'web']) == 'SUCCESS'
        assert labels == ["Deploy to london: a'b\"\${throw new Error()}\$c\\u0041\\"]
        assert credentials[0].credentialsId == "id'\${1/0}"
    }
}
