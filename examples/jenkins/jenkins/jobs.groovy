// Made by `deploy jenkins generate`: makes the jobs that run these pipelines.
// Do not change it by hand: change deployer.yml or the repository, and generate it again (docs/jenkins.md).

// A script of Job DSL: a folder with a job per pipeline, and in it a folder per stage with a job per region.

def place = 'deployments'
def repository = 'https://git.example.com/team/deployments.git'

folder(place) {
    description('Deployments')
}

def pipelines = [
    ['deploy', 'deploys one app to one region'],
    ['waves', 'deploys one app to all regions of a stage, in waves'],
    ['all', 'deploys all apps: staging stages first, production after approval'],
    ['rollback', 'brings back a deployment that is chosen from history'],
    ['drift', 'looks for what differs from the repository, every night'],
]
pipelines.each { name, text ->
    pipelineJob("${place}/${name}") {
        description(text)
        definition {
            cpsScm {
                scm {
                    git {
                        remote {
                            url(repository)
                            credentials('git-read')
                        }
                        branch('main')
                    }
                }
                scriptPath('jenkins/' + name + '.Jenkinsfile')
                lightweight(true)
            }
        }
    }
}

// The jobs of a region take what they are given to the job that deploys; its result and its description are theirs.
def handOver = '''
    def started = build(job: '../deploy', propagate: false, parameters: [
        string(name: 'STAGE', value: params.STAGE),
        string(name: 'REGION', value: params.REGION),
        string(name: 'APP', value: params.APP),
        string(name: 'VERSION', value: params.VERSION),
        booleanParam(name: 'CONFIRMED', value: params.CONFIRMED),
    ])
    currentBuild.description = started.description
    currentBuild.result = started.result
'''

def stages = [
    'dev': [
        'london': ['api', 'web'],
    ],
    'preprod': [
        'london': ['api', 'web'],
    ],
    'prod': [
        'london': ['api', 'web'],
        'seoul': ['web'],
        'virginia': ['api', 'web'],
    ],
]
stages.each { stage, regions ->
    folder("${place}/${stage}") {
        description("Stage ${stage}, a job per region")
    }
    regions.each { region, apps ->
        pipelineJob("${place}/${stage}/${region}") {
            description("Deploys one app to ${stage} in ${region}")
            parameters {
                choiceParam('APP', apps, 'A file apps/APP.yml')
                stringParam('VERSION', '', 'Empty: the Version in the app\'s file')
                booleanParam('CONFIRMED', false, 'Also delete what may hold data, and do not ask where a stage wants to be asked')
                choiceParam('STAGE', [stage], '')
                choiceParam('REGION', [region], '')
            }
            definition {
                cps {
                    script(handOver)
                    sandbox(true)
                }
            }
        }
    }
}
