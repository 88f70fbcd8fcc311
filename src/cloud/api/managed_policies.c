/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Policies of AWS that documents refer to. What each allows is what AWS documents of it ("AWS Managed Policy
 * Reference Guide"), as far as it is about services that are here or that a document checks for; the largest
 * (ReadOnlyAccess, SecurityAudit, ViewOnlyAccess) name the services of this server only. In the order of
 * names as strcmp has it: pages of ListPolicies go by it. */
#include "cloud/api/iam_inner.h"

/* clang-format off */
const sh_aws_policy sh_aws_policies[] = {
    {"AWSElementalMediaConvertFullAccess", "/", "ANPAIXDREOCL6LV7RBJWC",
     "Provides full access to MediaConvert.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"mediaconvert:*\",\"s3:ListAllMyB"
     "uckets\",\"s3:ListBucket\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":\"iam:PassRole\",\"Resource\":\"*"
     "\",\"Condition\":{\"StringLike\":{\"iam:PassedToService\":[\"mediaconvert.amazonaws.com\"]}}}]}", 1},
    {"AWSElementalMediaConvertReadOnly", "/", "ANPAJSXYOBSLJN3JEDM42",
     "Lets MediaConvert be looked at.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"mediaconvert:Get*\",\"mediaconve"
     "rt:List*\",\"mediaconvert:DescribeEndpoints\",\"s3:ListAllMyBuckets\",\"s3:ListBucket\"],\"Resource\":\"*\""
     "}]}", 1},
    {"AWSLambdaBasicExecutionRole", "/service-role/", "ANPAJNCQGXC42545SKXIK",
     "Lets a function write its logs.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:CreateLogGroup\",\"logs:Cre"
     "ateLogStream\",\"logs:PutLogEvents\"],\"Resource\":\"*\"}]}", 1},
    {"AWSLambdaRole", "/service-role/", "ANPAJX4DPCRGTC4NFDUXI",
     "Lets functions be invoked.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"lambda:InvokeFunction\"],\"Resou"
     "rce\":\"*\"}]}", 1},
    {"AWSLambda_FullAccess", "/", "ANPAZKAPJZG4ONMHVOZKZ",
     "Provides full access to functions and what they work with.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"cloudformation:DescribeStacks\""
     ",\"cloudformation:ListStackResources\",\"cloudwatch:GetMetricData\",\"cloudwatch:ListMetrics\",\"ec2:De"
     "scribeSecurityGroups\",\"ec2:DescribeSubnets\",\"ec2:DescribeVpcs\",\"kms:ListAliases\",\"iam:GetPolicy\""
     ",\"iam:GetPolicyVersion\",\"iam:GetRole\",\"iam:GetRolePolicy\",\"iam:ListAttachedRolePolicies\",\"iam:Li"
     "stRolePolicies\",\"iam:ListRoles\",\"lambda:*\",\"logs:DescribeLogGroups\",\"states:DescribeStateMachine"
     "\",\"states:ListStateMachines\",\"tag:GetResources\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":\"iam"
     ":PassRole\",\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{\"iam:PassedToService\":\"lambda.amazonaws.c"
     "om\"}}},{\"Effect\":\"Allow\",\"Action\":[\"logs:DescribeLogStreams\",\"logs:GetLogEvents\",\"logs:FilterLog"
     "Events\"],\"Resource\":\"arn:aws:logs:*:*:log-group:/aws/lambda/*\"}]}", 1},
    {"AWSLambda_ReadOnlyAccess", "/", "ANPAZKAPJZG4FQPJ6QJHC",
     "Lets functions be looked at.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"lambda:Get*\",\"lambda:List*\",\"i"
     "am:GetPolicy\",\"iam:GetPolicyVersion\",\"iam:GetRole\",\"iam:GetRolePolicy\",\"iam:ListAttachedRolePoli"
     "cies\",\"iam:ListRolePolicies\",\"iam:ListRoles\",\"logs:DescribeLogGroups\",\"states:DescribeStateMachi"
     "ne\",\"states:ListStateMachines\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":[\"logs:DescribeLogStr"
     "eams\",\"logs:GetLogEvents\",\"logs:FilterLogEvents\"],\"Resource\":\"arn:aws:logs:*:*:log-group:/aws/la"
     "mbda/*\"}]}", 1},
    {"AWSStepFunctionsConsoleFullAccess", "/", "ANPAJIYC52YWRX6OSMJWK",
     "Provides full access to state machines, and lets roles be given to them.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"states:*\",\"Resource\":\"*\"},{\"Eff"
     "ect\":\"Allow\",\"Action\":\"iam:ListRoles\",\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":\"iam:PassRole\","
     "\"Resource\":\"arn:aws:iam::*:role/service-role/StatesExecutionRole*\"},{\"Effect\":\"Allow\",\"Action\":\""
     "lambda:ListFunctions\",\"Resource\":\"*\"}]}", 2},
    {"AWSStepFunctionsFullAccess", "/", "ANPAJXKA6VP3UFBVHDPPA",
     "Provides full access to state machines.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"states:*\",\"Resource\":\"*\"}]}", 1},
    {"AWSStepFunctionsReadOnlyAccess", "/", "ANPAJONHB2TJQDJPFW5TM",
     "Lets state machines be looked at.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"states:ListStateMachines\",\"sta"
     "tes:ListActivities\",\"states:DescribeStateMachine\",\"states:DescribeStateMachineForExecution\",\"sta"
     "tes:ListExecutions\",\"states:DescribeExecution\",\"states:GetExecutionHistory\",\"states:DescribeActi"
     "vity\",\"states:ListTagsForResource\",\"states:ListMapRuns\",\"states:DescribeMapRun\",\"states:ListStat"
     "eMachineVersions\",\"states:ListStateMachineAliases\",\"states:DescribeStateMachineAlias\",\"states:Va"
     "lidateStateMachineDefinition\"],\"Resource\":\"*\"}]}", 1},
    {"AdministratorAccess", "/", "ANPAIWMBCKSKIEE64ZLYK",
     "Provides full access to all services and resources.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}", 1},
    {"AmazonAPIGatewayInvokeFullAccess", "/", "ANPAIIWAX2NOOQJ4AIEQ6",
     "Provides full access to invoke APIs.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"execute-api:Invoke\",\"execute-a"
     "pi:ManageConnections\"],\"Resource\":\"arn:aws:execute-api:*:*:*\"}]}", 1},
    {"AmazonEC2ReadOnlyAccess", "/", "ANPAIGDT4SV4GSETWTBZK",
     "Lets instances be looked at.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"ec2:Describe*\",\"ec2:Get*\"],\"Re"
     "source\":\"*\"}]}", 1},
    {"AmazonEventBridgeFullAccess", "/", "ANPAJ5XVN6GBXGAZIBNBO",
     "Provides full access to events and rules.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"events:*\",\"schemas:*\",\"schedul"
     "er:*\",\"pipes:*\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":\"iam:PassRole\",\"Resource\":\"arn:aws:i"
     "am::*:role/*\",\"Condition\":{\"StringLike\":{\"iam:PassedToService\":\"events.amazonaws.com\"}}}]}", 2},
    {"AmazonEventBridgeReadOnlyAccess", "/", "ANPAJCRK76R2FQFR7SHOW",
     "Lets events and rules be looked at.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"events:DescribeRule\",\"events:D"
     "escribeEventBus\",\"events:ListEventBuses\",\"events:ListRules\",\"events:ListTargetsByRule\",\"events:L"
     "istRuleNamesByTarget\",\"events:ListTagsForResource\",\"events:TestEventPattern\"],\"Resource\":\"*\"}]}", 2},
    {"AmazonS3FullAccess", "/", "ANPAIFIR6V6BVTRAHWINE",
     "Provides full access to all buckets.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:*\",\"s3-object-lambda:*\"],\"R"
     "esource\":\"*\"}]}", 2},
    {"AmazonS3ReadOnlyAccess", "/", "ANPAIZTJ4DXE7G6AGAE6M",
     "Provides read only access to all buckets.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:Get*\",\"s3:List*\",\"s3:Descri"
     "be*\",\"s3-object-lambda:Get*\",\"s3-object-lambda:List*\"],\"Resource\":\"*\"}]}", 3},
    {"AmazonSSMFullAccess", "/", "ANPAJA7V6HI4ISQFMDYAG",
     "Provides full access to Systems Manager.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"cloudwatch:PutMetricData\",\"ds:"
     "CreateComputer\",\"ds:DescribeDirectories\",\"ec2:DescribeInstanceStatus\",\"logs:*\",\"ssm:*\",\"ec2messa"
     "ges:*\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":\"iam:PassRole\",\"Resource\":\"*\",\"Condition\":{\"S"
     "tringEquals\":{\"iam:PassedToService\":\"ssm.amazonaws.com\"}}}]}", 4},
    {"AmazonSSMManagedInstanceCore", "/", "ANPAIXSHM2BNB2D3AXXRU",
     "What a node needs to be managed by Systems Manager.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"ssm:DescribeAssociation\",\"ssm:"
     "GetDeployablePatchSnapshotForInstance\",\"ssm:GetDocument\",\"ssm:DescribeDocument\",\"ssm:GetManifest"
     "\",\"ssm:GetParameter\",\"ssm:GetParameters\",\"ssm:ListAssociations\",\"ssm:ListInstanceAssociations\",\""
     "ssm:PutInventory\",\"ssm:PutComplianceItems\",\"ssm:PutConfigurePackageResult\",\"ssm:UpdateAssociatio"
     "nStatus\",\"ssm:UpdateInstanceAssociationStatus\",\"ssm:UpdateInstanceInformation\"],\"Resource\":\"*\"},"
     "{\"Effect\":\"Allow\",\"Action\":[\"ssmmessages:CreateControlChannel\",\"ssmmessages:CreateDataChannel\",\""
     "ssmmessages:OpenControlChannel\",\"ssmmessages:OpenDataChannel\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\""
     ",\"Action\":[\"ec2messages:AcknowledgeMessage\",\"ec2messages:DeleteMessage\",\"ec2messages:FailMessage"
     "\",\"ec2messages:GetEndpoint\",\"ec2messages:GetMessages\",\"ec2messages:SendReply\"],\"Resource\":\"*\"}]}", 2},
    {"AmazonSSMReadOnlyAccess", "/", "ANPAJODSKQGGJTHRYZ5FC",
     "Lets Systems Manager be looked at.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"ssm:Describe*\",\"ssm:Get*\",\"ssm"
     ":List*\"],\"Resource\":\"*\"}]}", 1},
    {"CloudWatchAgentServerPolicy", "/", "ANPAIGOPKN7KRDAKTLG4I",
     "Lets a node write logs and metrics.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"cloudwatch:PutMetricData\",\"ec2"
     ":DescribeVolumes\",\"ec2:DescribeTags\",\"logs:PutLogEvents\",\"logs:PutRetentionPolicy\",\"logs:Describ"
     "eLogStreams\",\"logs:DescribeLogGroups\",\"logs:CreateLogStream\",\"logs:CreateLogGroup\"],\"Resource\":\""
     "*\"},{\"Effect\":\"Allow\",\"Action\":[\"ssm:GetParameter\"],\"Resource\":\"arn:aws:ssm:*:*:parameter/Amazon"
     "CloudWatch-*\"}]}", 3},
    {"CloudWatchEventsFullAccess", "/", "ANPAJZLOYLNHESMYOJAFU",
     "Provides full access to events and rules.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"events:*\",\"Resource\":\"*\"},{\"Eff"
     "ect\":\"Allow\",\"Action\":\"iam:PassRole\",\"Resource\":\"arn:aws:iam::*:role/AWS_Events_Invoke_Targets\"}"
     "]}", 1},
    {"CloudWatchLogsFullAccess", "/", "ANPAJ3ZGNWK2R5HW5BQFO",
     "Provides full access to logs.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:*\"],\"Resource\":\"*\"}]}", 1},
    {"CloudWatchLogsReadOnlyAccess", "/", "ANPAJ2YIYDYSNNEHK3VKW",
     "Lets logs be looked at.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"logs:Describe*\",\"logs:Get*\",\"l"
     "ogs:List*\",\"logs:StartQuery\",\"logs:StopQuery\",\"logs:TestMetricFilter\",\"logs:FilterLogEvents\"],\"R"
     "esource\":\"*\"}]}", 2},
    {"IAMFullAccess", "/", "ANPAI7XKCFMBPM3QQRRVQ",
     "Provides full access to IAM.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"iam:*\"],\"Resource\":\"*\"}]}", 2},
    {"IAMReadOnlyAccess", "/", "ANPAJKSO7NDY4T57MWDSQ",
     "Lets IAM be looked at.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"iam:GenerateCredentialReport\","
     "\"iam:GenerateServiceLastAccessedDetails\",\"iam:Get*\",\"iam:List*\",\"iam:SimulateCustomPolicy\",\"iam:"
     "SimulatePrincipalPolicy\"],\"Resource\":\"*\"}]}", 4},
    {"IAMUserChangePassword", "/", "ANPAJ4L4MM2A7QIEB56MS",
     "Lets a user change its own password.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"iam:ChangePassword\",\"Resource\":"
     "[\"arn:aws:iam::*:user/${aws:username}\"]},{\"Effect\":\"Allow\",\"Action\":\"iam:GetAccountPasswordPolic"
     "y\",\"Resource\":\"*\"}]}", 2},
    {"PowerUserAccess", "/", "ANPAJYRXTHIB4FOVS3ZXS",
     "Provides full access to everything but users, groups and roles.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"NotAction\":[\"iam:*\",\"organizations:*\",\"a"
     "ccount:*\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":[\"iam:CreateServiceLinkedRole\",\"iam:Delete"
     "ServiceLinkedRole\",\"iam:ListRoles\",\"organizations:DescribeOrganization\",\"account:ListRegions\"],\""
     "Resource\":\"*\"}]}", 5},
    {"ReadOnlyAccess", "/", "ANPAILL3HVNFSB6DCOWYQ",
     "Lets everything be looked at.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"cloudwatch:Describe*\",\"cloudwa"
     "tch:Get*\",\"cloudwatch:List*\",\"ec2:Describe*\",\"ec2:Get*\",\"events:Describe*\",\"events:List*\",\"event"
     "s:Test*\",\"iam:Generate*\",\"iam:Get*\",\"iam:List*\",\"iam:Simulate*\",\"lambda:Get*\",\"lambda:List*\",\"lo"
     "gs:Describe*\",\"logs:FilterLogEvents\",\"logs:Get*\",\"logs:List*\",\"logs:StartQuery\",\"logs:StopQuery\""
     ",\"logs:TestMetricFilter\",\"mediaconvert:DescribeEndpoints\",\"mediaconvert:Get*\",\"mediaconvert:List"
     "*\",\"s3:Describe*\",\"s3:Get*\",\"s3:List*\",\"ssm:Describe*\",\"ssm:Get*\",\"ssm:List*\",\"states:Describe*\""
     ",\"states:GetExecutionHistory\",\"states:List*\",\"states:Validate*\",\"sts:GetAccessKeyInfo\",\"sts:GetC"
     "allerIdentity\",\"sts:GetSessionToken\",\"tag:Get*\"],\"Resource\":\"*\"}]}", 100},
    {"SecurityAudit", "/", "ANPAIX2T3QCXHR2OGGCTO",
     "Lets the configuration of everything be looked at, and none of the contents.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"events:DescribeEventBus\",\"even"
     "ts:DescribeRule\",\"events:ListRules\",\"iam:GenerateCredentialReport\",\"iam:Get*\",\"iam:List*\",\"iam:S"
     "imulateCustomPolicy\",\"iam:SimulatePrincipalPolicy\",\"lambda:GetPolicy\",\"lambda:List*\",\"logs:Descr"
     "ibeLogGroups\",\"logs:ListTagsLogGroup\",\"s3:GetAccelerateConfiguration\",\"s3:GetBucket*\",\"s3:GetEnc"
     "ryptionConfiguration\",\"s3:GetLifecycleConfiguration\",\"s3:GetObjectAcl\",\"s3:GetObjectVersionAcl\","
     "\"s3:ListAllMyBuckets\",\"ssm:DescribeDocument\",\"ssm:ListDocuments\",\"states:ListStateMachines\"],\"Re"
     "source\":\"*\"}]}", 40},
    {"ViewOnlyAccess", "/job-function/", "ANPAID22R6XPJATWOFDK6",
     "Lets be seen what there is, and none of the contents.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"events:List*\",\"iam:List*\",\"lam"
     "bda:List*\",\"logs:Describe*\",\"mediaconvert:List*\",\"s3:ListAllMyBuckets\",\"s3:ListBucket\",\"ssm:Desc"
     "ribe*\",\"ssm:List*\",\"states:List*\"],\"Resource\":\"*\"}]}", 20},
    {0},
};
/* clang-format on */
