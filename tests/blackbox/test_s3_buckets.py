# SPDX-License-Identifier: LGPL-2.1-or-later
"""Buckets of S3 and what can be configured of them, as the S3 API reference and user guide describe it."""
import base64
import hashlib
import json
import unittest

from s3_case import S3Case, error_code, raw, send
from server import Server

OWNER_ONLY = [("CanonicalUser", "FULL_CONTROL")]
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
ARN = "arn:aws:s3:::%s"
EVERYTHING = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}


def digest(body):
    return {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}


def text_of(response, name):
    start = response.data.find(b"<%s>" % name.encode())
    return response.data[start + len(name) + 2:response.data.find(b"</", start)].decode() if start >= 0 else None


def allow(bucket, principal="*", action="s3:GetObject", resource="/*", **more):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": ARN % bucket + resource, **more}]})


class BucketCase(S3Case):
    """Of a server whose new buckets are those of AWS today."""
    arguments = ("--new-buckets", "closed")
    number = 0

    def bucket(self, **arguments):
        """A new bucket."""
        BucketCase.number += 1
        name = "bucket-%d" % BucketCase.number
        self.s3.create_bucket(Bucket=name, **arguments)
        return name

    def open_bucket(self, ownership="ObjectWriter"):
        """One that takes ACLs and public policies, as those of before April 2023."""
        name = self.bucket(ObjectOwnership=ownership)
        self.s3.delete_public_access_block(Bucket=name)
        return name

    def put_xml(self, bucket, subresource, body, key=None, **fields):
        body = body.encode()
        return raw(self.server, "PUT", "/%s%s?%s" % (bucket, "/" + key if key else "", subresource), body,
                   {**digest(body), **fields})

    def refused(self, response, status, code):
        self.assertEqual((response.status, error_code(response)), (status, code), response.data)


class Life(BucketCase):
    def test_create_answers_where_it_is(self):
        response = raw(self.server, "PUT", "/where-it-is")
        self.assertEqual((response.status, response.headers["Location"]), (200, "/where-it-is"))

    def test_create_again_is_fine_in_us_east_1(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="kept", Body=b"1")
        self.s3.create_bucket(Bucket=name)
        self.assertEqual(self.keys(name), ["kept"])

    def test_location_constraint(self):
        for location, code in [("us-east-1", "InvalidLocationConstraint"), ("mars-1", "InvalidLocationConstraint"),
                               ("eu-central-1", "IllegalLocationConstraintException"),
                               ("EU", "IllegalLocationConstraintException")]:
            with self.subTest(location=location):
                self.fails(code, 400, self.s3.create_bucket, Bucket="somewhere",
                           CreateBucketConfiguration={"LocationConstraint": location})

    def test_other_region(self):
        with Server(region="eu-west-1") as other:
            s3 = other.client("s3")
            self.fails("IllegalLocationConstraintException", 400, s3.create_bucket, Bucket="nowhere")
            s3.create_bucket(Bucket="by-name", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
            s3.create_bucket(Bucket="by-old-name", CreateBucketConfiguration={"LocationConstraint": "EU"})
            self.assertEqual(s3.get_bucket_location(Bucket="by-name")["LocationConstraint"], "eu-west-1")
            fields = s3.head_bucket(Bucket="by-name")["ResponseMetadata"]["HTTPHeaders"]
            self.assertEqual(fields["x-amz-bucket-region"], "eu-west-1")
            self.fails("BucketAlreadyOwnedByYou", 409, s3.create_bucket, Bucket="by-name",
                       CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def test_create_configuration(self):
        for body, status, code in [
                ("<CreateBucketConfiguration/>", 200, None),
                ("<CreateBucketConfiguration><LocationConstraint/></CreateBucketConfiguration>", 200, None),
                ("<CreateBucketConfiguration>", 400, "MalformedXML"),
                ("<SomethingElse/>", 400, "MalformedXML"),
                ("<CreateBucketConfiguration><Unknown/></CreateBucketConfiguration>", 400, "MalformedXML"),
                ("<CreateBucketConfiguration><Bucket><Type>Directory</Type></Bucket></CreateBucketConfiguration>", 501,
                 "NotImplemented")]:
            with self.subTest(body=body):
                response = raw(self.server, "PUT", "/configured", body.encode())
                self.assertEqual((response.status, error_code(response)), (status, code))

    def test_create_with_tags(self):
        body = (b"<CreateBucketConfiguration><Tags><Tag><Key>team</Key><Value>video</Value></Tag></Tags>"
                b"</CreateBucketConfiguration>")
        self.assertEqual(raw(self.server, "PUT", "/tagged-at-birth", body).status, 200)
        self.assertEqual(self.s3.get_bucket_tagging(Bucket="tagged-at-birth")["TagSet"], [{"Key": "team", "Value": "video"}])

    def test_object_lock_is_refused_by_name(self):
        response = self.fails("NotImplemented", 501, self.s3.create_bucket, Bucket="locked", ObjectLockEnabledForBucket=True)
        self.assertIn("object-lock", response["Error"]["Message"])

    def test_head(self):
        name = self.bucket()
        response = self.s3.head_bucket(Bucket=name)
        fields = response["ResponseMetadata"]["HTTPHeaders"]
        self.assertEqual((fields["x-amz-bucket-region"], fields["x-amz-access-point-alias"]), ("us-east-1", "false"))
        response = raw(self.server, "HEAD", "/no-such-bucket-here")
        self.assertEqual((response.status, response.data), (404, b""))

    def test_delete(self):
        name = self.bucket()
        self.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
        self.s3.put_object(Bucket=name, Key="k", Body=b"")
        self.fails("BucketNotEmpty", 409, self.s3.delete_bucket, Bucket=name)
        self.s3.delete_object(Bucket=name, Key="k")
        self.s3.delete_bucket(Bucket=name)
        self.fails("NoSuchBucket", 404, self.s3.delete_bucket, Bucket=name)
        self.s3.create_bucket(Bucket=name)
        self.fails("NoSuchTagSet", 404, self.s3.get_bucket_tagging, Bucket=name)

    def test_errors_name_the_bucket(self):
        response = raw(self.server, "GET", "/no-such-bucket-here")
        self.refused(response, 404, "NoSuchBucket")
        self.assertEqual(text_of(response, "BucketName"), "no-such-bucket-here")
        self.assertTrue(text_of(response, "RequestId"))

    def test_everything_asks_for_the_bucket_first(self):
        for subresource in ["acl", "cors", "policy", "policyStatus", "lifecycle", "tagging", "publicAccessBlock",
                            "ownershipControls", "encryption", "notification", "location", "versioning", "requestPayment",
                            "logging", "website", "uploads"]:
            with self.subTest(subresource=subresource):
                self.refused(raw(self.server, "GET", "/no-such-bucket-here?" + subresource), 404, "NoSuchBucket")


class ListBuckets(S3Case):
    NAMES = ["alpha-1", "alpha-2", "alpha-3", "beta-1", "beta-2"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in cls.NAMES:
            cls.s3.create_bucket(Bucket=name)

    def names(self, **arguments):
        return [b["Name"] for b in self.s3.list_buckets(**arguments)["Buckets"]]

    def raw_names(self, query):
        response = raw(self.server, "GET", "/?" + query)
        self.assertEqual(response.status, 200, response.data)
        return [part.split(b"</Name>")[0].decode() for part in response.data.split(b"<Name>")[1:]], response

    def test_all(self):
        self.assertEqual(self.names(), sorted(self.NAMES + ["bucket"]))

    def test_owner(self):
        owner = self.s3.list_buckets()["Owner"]["ID"]
        self.assertRegex(owner, "^[0-9a-f]{64}$")

    def test_prefix(self):
        names, response = self.raw_names("prefix=alpha-")
        self.assertEqual(names, self.NAMES[:3])
        self.assertEqual(text_of(response, "Prefix"), "alpha-")
        self.assertEqual(text_of(response, "BucketRegion"), "us-east-1")

    def test_pages(self):
        seen, token = [], ""
        for _ in range(3):
            names, response = self.raw_names("max-buckets=2" + token)
            seen += names
            next_token = text_of(response, "ContinuationToken")
            token = "&continuation-token=" + (next_token or "").replace("=", "%3D").replace("+", "%2B").replace("/", "%2F")
        self.assertEqual(seen, sorted(self.NAMES + ["bucket"]))
        self.assertIsNone(next_token)

    def test_other_region(self):
        self.assertEqual(self.raw_names("bucket-region=eu-west-1")[0], [])
        self.assertEqual(len(self.raw_names("bucket-region=us-east-1")[0]), 6)

    def test_bad(self):
        for query in ["max-buckets=0", "max-buckets=10001", "max-buckets=x", "continuation-token=garbage"]:
            with self.subTest(query=query):
                response = raw(self.server, "GET", "/?" + query)
                self.assertEqual((response.status, error_code(response)), (400, "InvalidArgument"))


class Tagging(BucketCase):
    def test_life(self):
        name = self.bucket()
        self.fails("NoSuchTagSet", 404, self.s3.get_bucket_tagging, Bucket=name)
        tags = [{"Key": "k%d" % i, "Value": "ü & <%d>" % i} for i in range(50)]
        self.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
        self.assertEqual(self.s3.get_bucket_tagging(Bucket=name)["TagSet"], tags)
        self.s3.delete_bucket_tagging(Bucket=name)
        self.fails("NoSuchTagSet", 404, self.s3.get_bucket_tagging, Bucket=name)

    def test_bad(self):
        name = self.bucket()
        for tags, code in [([("a", "1"), ("a", "2")], "InvalidTag"), ([("aws:a", "1")], "InvalidTag"),
                           ([("k" * 129, "1")], "InvalidTag"), ([("k", "v" * 257)], "InvalidTag"),
                           ([("k%d" % i, "") for i in range(51)], "BadRequest")]:
            with self.subTest(tags=tags[:2]):
                self.fails(code, 400, self.s3.put_bucket_tagging, Bucket=name,
                           Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in tags]})
        self.refused(self.put_xml(name, "tagging", "<Tagging><TagSet><Tag><Key/><Value/></Tag></TagSet></Tagging>"), 400,
                     "InvalidTag")
        for body in ["<Tagging/>", "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>", "<TagSet/>",
                     "<Tagging><Tags/></Tagging>"]:
            with self.subTest(body=body):
                self.refused(self.put_xml(name, "tagging", body), 400, "MalformedXML")

    def test_digest_is_demanded(self):
        body = b"<Tagging><TagSet/></Tagging>"
        self.refused(raw(self.server, "PUT", "/bucket?tagging", body), 400, "InvalidRequest")
        self.refused(raw(self.server, "PUT", "/bucket?tagging", body, digest(b"other")), 400, "BadDigest")


class PublicAccess(BucketCase):
    def test_new_buckets_block_everything(self):
        self.assertEqual(self.s3.get_public_access_block(Bucket=self.bucket())["PublicAccessBlockConfiguration"], EVERYTHING)

    def test_life(self):
        name = self.bucket()
        wanted = {**EVERYTHING, "BlockPublicAcls": False, "RestrictPublicBuckets": False}
        self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=wanted)
        self.assertEqual(self.s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"], wanted)
        self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
        self.assertEqual(self.s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"],
                         {**dict.fromkeys(EVERYTHING, False), "BlockPublicAcls": True})
        self.s3.delete_public_access_block(Bucket=name)
        self.fails("NoSuchPublicAccessBlockConfiguration", 404, self.s3.get_public_access_block, Bucket=name)
        self.s3.delete_public_access_block(Bucket=name)

    def test_bad(self):
        for body in ["<PublicAccessBlockConfiguration><BlockPublicAcls>maybe</BlockPublicAcls></PublicAccessBlockConfiguration>",
                     "<PublicAccessBlockConfiguration><Other/></PublicAccessBlockConfiguration>", "<Else/>", "no xml"]:
            with self.subTest(body=body):
                self.refused(self.put_xml("bucket", "publicAccessBlock", body), 400, "MalformedXML")

    def test_public_policy_is_not_taken(self):
        name = self.bucket()
        response = self.fails("AccessDenied", 403, self.s3.put_bucket_policy, Bucket=name, Policy=allow(name))
        self.assertIn("BlockPublicPolicy", response["Error"]["Message"])
        self.s3.put_bucket_policy(Bucket=name, Policy=allow(name, {"AWS": "arn:aws:iam::012345678901:root"}))

    def test_public_acl_is_not_taken(self):
        name = self.bucket(ObjectOwnership="ObjectWriter")
        self.fails("AccessDenied", 403, self.s3.put_bucket_acl, Bucket=name, ACL="public-read")
        self.fails("AccessDenied", 403, self.s3.put_object, Bucket=name, Key="k", ACL="public-read")
        self.s3.put_object(Bucket=name, Key="k", ACL="private")
        self.fails("AccessDenied", 403, self.s3.put_object_acl, Bucket=name, Key="k", ACL="authenticated-read")

    def get(self, bucket, key="k"):
        return send(self.server, "GET", "/%s/%s" % (bucket, key), headers={"Host": self.server.endpoint[7:]}).status

    def test_what_ignoring_does(self):
        name = self.open_bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"1", ACL="public-read")
        self.assertEqual(self.get(name), 200)
        self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
        self.assertEqual(self.get(name), 403)
        self.s3.delete_public_access_block(Bucket=name)
        self.assertEqual(self.get(name), 200)

    def test_what_restricting_does(self):
        name = self.open_bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"1")
        self.assertEqual(self.get(name), 403)
        self.s3.put_bucket_policy(Bucket=name, Policy=allow(name))
        self.assertEqual(self.get(name), 200)
        self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
        self.assertEqual(self.get(name), 403)


class Ownership(BucketCase):
    def of(self, name):
        return self.s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"][0]["ObjectOwnership"]

    def test_default(self):
        self.assertEqual(self.of(self.bucket()), "BucketOwnerEnforced")

    def test_life(self):
        name = self.bucket(ObjectOwnership="BucketOwnerPreferred")
        self.assertEqual(self.of(name), "BucketOwnerPreferred")
        self.s3.put_bucket_ownership_controls(Bucket=name,
                                              OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
        self.assertEqual(self.of(name), "ObjectWriter")
        self.s3.delete_bucket_ownership_controls(Bucket=name)
        self.fails("OwnershipControlsNotFoundError", 404, self.s3.get_bucket_ownership_controls, Bucket=name)

    def test_bad(self):
        self.fails("InvalidArgument", 400, self.s3.create_bucket, Bucket="owned", ObjectOwnership="Me")
        for body in ["<OwnershipControls/>", "<OwnershipControls><Rule/></OwnershipControls>",
                     "<OwnershipControls><Rule><ObjectOwnership>Me</ObjectOwnership></Rule></OwnershipControls>"]:
            with self.subTest(body=body):
                self.refused(self.put_xml("bucket", "ownershipControls", body), 400, "MalformedXML")

    def test_enforced_takes_no_acls(self):
        name = self.bucket()
        for call, arguments in [(self.s3.put_bucket_acl, {"ACL": "public-read"}),
                                (self.s3.put_object, {"Key": "k", "ACL": "public-read"}),
                                (self.s3.put_object, {"Key": "k", "GrantRead": 'uri="%s"' % ALL_USERS})]:
            with self.subTest(call=call.__name__, **arguments):
                self.fails("AccessControlListNotSupported", 400, call, Bucket=name, **arguments)

    def test_enforced_takes_what_the_cli_sends(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"1", ACL="bucket-owner-full-control")
        self.s3.put_object(Bucket=name, Key="k", Body=b"1", ACL="private")
        self.assertEqual([g["Permission"] for g in self.s3.get_object_acl(Bucket=name, Key="k")["Grants"]], ["FULL_CONTROL"])

    def test_enforced_at_creation(self):
        for arguments, code in [({"ACL": "public-read"}, "InvalidBucketAclWithObjectOwnership"),
                                ({"ACL": "public-read", "ObjectOwnership": "BucketOwnerEnforced"},
                                 "InvalidBucketAclWithObjectOwnership"),
                                ({"ACL": "public-read", "ObjectOwnership": "ObjectWriter"},
                                 "InvalidBucketAclWithBlockPublicAccessError")]:
            with self.subTest(**arguments):
                self.fails(code, 400, self.s3.create_bucket, Bucket="with-acl", **arguments)
        self.s3.create_bucket(Bucket="with-acl", ACL="private")
        self.s3.create_bucket(Bucket="with-log-acl", ACL="log-delivery-write", ObjectOwnership="ObjectWriter")
        self.assertEqual(len(self.s3.get_bucket_acl(Bucket="with-log-acl")["Grants"]), 3)

    def test_enforcing_where_acls_are(self):
        name = self.open_bucket()
        self.s3.put_bucket_acl(Bucket=name, ACL="public-read")
        self.fails("InvalidBucketAclWithObjectOwnership", 400, self.s3.put_bucket_ownership_controls, Bucket=name,
                   OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
        self.s3.put_bucket_acl(Bucket=name, ACL="private")
        self.s3.put_object(Bucket=name, Key="k", ACL="public-read")
        self.s3.put_bucket_ownership_controls(Bucket=name,
                                              OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
        self.assertEqual(len(self.s3.get_object_acl(Bucket=name, Key="k")["Grants"]), 1)


class Acls(BucketCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.owner = cls.s3.list_buckets()["Owner"]["ID"]

    def grants(self, response):
        self.assertEqual(response["Owner"]["ID"], self.owner)
        out = []
        for grant in response["Grants"]:
            who = grant["Grantee"]
            out.append((who.get("URI", "owner" if who.get("ID") == self.owner else who.get("ID")), grant["Permission"]))
        return out

    def test_canned(self):
        name = self.open_bucket()
        full = ("owner", "FULL_CONTROL")
        for canned, wanted in [("private", [full]), ("public-read", [full, (ALL_USERS, "READ")]),
                               ("public-read-write", [full, (ALL_USERS, "READ"), (ALL_USERS, "WRITE")]),
                               ("authenticated-read", [full, (AUTHENTICATED, "READ")])]:
            with self.subTest(canned=canned):
                self.s3.put_bucket_acl(Bucket=name, ACL=canned)
                self.assertEqual(self.grants(self.s3.get_bucket_acl(Bucket=name)), wanted)
                self.s3.put_object(Bucket=name, Key=canned, Body=b"", ACL=canned)
                self.assertEqual(self.grants(self.s3.get_object_acl(Bucket=name, Key=canned)), wanted)
        for canned, count in [("bucket-owner-read", 1), ("bucket-owner-full-control", 1), ("aws-exec-read", 2)]:
            with self.subTest(canned=canned):
                self.s3.put_object_acl(Bucket=name, Key="private", ACL=canned)
                self.assertEqual(len(self.s3.get_object_acl(Bucket=name, Key="private")["Grants"]), count)

    def test_bad_canned(self):
        response = self.fails("InvalidArgument", 400, self.s3.put_bucket_acl, Bucket=self.open_bucket(), ACL="public-ish")
        self.assertEqual((response["Error"]["ArgumentName"], response["Error"]["ArgumentValue"]), ("x-amz-acl", "public-ish"))

    def test_grants_by_field(self):
        name = self.open_bucket()
        self.s3.put_bucket_acl(Bucket=name, GrantFullControl='id="%s"' % self.owner,
                               GrantRead='uri="%s", uri=%s' % (ALL_USERS, AUTHENTICATED),
                               GrantWriteACP='id=' + "ab" * 32)
        self.assertEqual(sorted(self.grants(self.s3.get_bucket_acl(Bucket=name))),
                         sorted([("owner", "FULL_CONTROL"), (ALL_USERS, "READ"), (AUTHENTICATED, "READ"),
                                 ("ab" * 32, "WRITE_ACP")]))

    def test_bad_grants(self):
        name = self.open_bucket()
        for grant, code in [('id="_foo"', "InvalidArgument"), ('uri="http://example.org"', "InvalidArgument"),
                            ("nonsense", "InvalidArgument"), ('who="me"', "InvalidArgument"),
                            ('emailAddress="a@example.org"', "UnresolvableGrantByEmailAddress"),
                            (", ".join(["id=" + "ab" * 32] * 101), "MalformedACLError")]:
            with self.subTest(grant=grant[:40]):
                self.fails(code, 400, self.s3.put_bucket_acl, Bucket=name, GrantRead=grant)
        self.fails("InvalidRequest", 400, self.s3.put_bucket_acl, Bucket=name, GrantRead='uri="%s"' % ALL_USERS, ACL="private")

    def test_document(self):
        name = self.open_bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"")
        policy = {"Owner": {"ID": self.owner}, "Grants": [
            {"Grantee": {"Type": "Group", "URI": ALL_USERS}, "Permission": "READ_ACP"},
            {"Grantee": {"Type": "CanonicalUser", "ID": self.owner}, "Permission": "WRITE"}]}
        for put, get, more in [(self.s3.put_bucket_acl, self.s3.get_bucket_acl, {}),
                               (self.s3.put_object_acl, self.s3.get_object_acl, {"Key": "k"})]:
            with self.subTest(put=put.__name__):
                put(Bucket=name, AccessControlPolicy=policy, **more)
                self.assertEqual(self.grants(get(Bucket=name, **more)), [(ALL_USERS, "READ_ACP"), ("owner", "WRITE")])
                put(Bucket=name, AccessControlPolicy={"Owner": {"ID": self.owner}, "Grants": []}, **more)
                self.assertEqual(self.grants(get(Bucket=name, **more)), [])

    def test_bad_document(self):
        name = self.open_bucket()
        grant = "<Grant><Grantee><ID>%s</ID></Grantee><Permission>%s</Permission></Grant>"
        document = "<AccessControlPolicy><Owner><ID>%s</ID></Owner><AccessControlList>%s</AccessControlList></AccessControlPolicy>"
        for body, status, code in [
                (document % (self.owner, grant % (self.owner, "EVERYTHING")), 400, "MalformedACLError"),
                (document % (self.owner, "<Grant><Permission>READ</Permission></Grant>"), 400, "MalformedACLError"),
                (document % ("12" * 32, grant % (self.owner, "READ")), 403, "AccessDenied"),
                ("<AccessControlPolicy/>", 400, "MalformedACLError"), ("<AccessControlPolicy>", 400, "MalformedACLError"),
                ("", 400, "MissingSecurityHeader")]:
            with self.subTest(body=body):
                self.refused(self.put_xml(name, "acl", body), status, code)
        self.refused(self.put_xml(name, "acl", document % (self.owner, ""), **{"x-amz-acl": "private"}), 400,
                     "UnexpectedContent")

    def test_missing_objects(self):
        name = self.open_bucket()
        self.fails("NoSuchKey", 404, self.s3.get_object_acl, Bucket=name, Key="none")
        self.fails("NoSuchKey", 404, self.s3.put_object_acl, Bucket=name, Key="none", ACL="private")

    def anonymous(self, method, path, body=b""):
        return send(self.server, method, path, body, {"Host": self.server.endpoint[7:]}).status

    def test_who_gets_in(self):
        name = self.open_bucket()
        self.s3.put_object(Bucket=name, Key="shown", Body=b"1", ACL="public-read")
        self.s3.put_object(Bucket=name, Key="hidden", Body=b"1")
        self.assertEqual(self.anonymous("GET", "/%s/shown" % name), 200)
        self.assertEqual(self.anonymous("HEAD", "/%s/shown" % name), 200)
        self.assertEqual(self.anonymous("GET", "/%s/hidden" % name), 403)
        self.assertEqual(self.anonymous("GET", "/%s?list-type=2" % name), 403)
        self.assertEqual(self.anonymous("PUT", "/%s/new" % name, b"1"), 403)
        self.s3.put_bucket_acl(Bucket=name, ACL="public-read")
        self.assertEqual(self.anonymous("GET", "/%s?list-type=2" % name), 200)
        self.assertEqual(self.anonymous("DELETE", "/%s/shown" % name), 403)
        self.s3.put_bucket_acl(Bucket=name, ACL="public-read-write")
        self.assertEqual(self.anonymous("DELETE", "/%s/hidden" % name), 204)
        self.assertEqual(self.anonymous("GET", "/%s?acl" % name), 403)

    def test_a_copy_and_a_new_write_begin_private(self):
        name = self.open_bucket()
        self.s3.put_object(Bucket=name, Key="a", Body=b"1", ACL="public-read")
        self.s3.copy_object(Bucket=name, Key="b", CopySource="%s/a" % name)
        self.assertEqual(len(self.s3.get_object_acl(Bucket=name, Key="b")["Grants"]), 1)
        self.s3.put_object(Bucket=name, Key="a", Body=b"2")
        self.assertEqual(len(self.s3.get_object_acl(Bucket=name, Key="a")["Grants"]), 1)
        self.s3.copy_object(Bucket=name, Key="c", CopySource="%s/a" % name, ACL="public-read")
        self.assertEqual(len(self.s3.get_object_acl(Bucket=name, Key="c")["Grants"]), 2)
        upload = self.s3.create_multipart_upload(Bucket=name, Key="d", ACL="public-read")["UploadId"]
        part = self.s3.upload_part(Bucket=name, Key="d", UploadId=upload, PartNumber=1, Body=b"1")
        self.s3.complete_multipart_upload(Bucket=name, Key="d", UploadId=upload, MultipartUpload={
            "Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        self.assertEqual(len(self.s3.get_object_acl(Bucket=name, Key="d")["Grants"]), 2)


class OpenBuckets(unittest.TestCase):
    """As a server makes them that was not told otherwise."""

    def test_new_buckets(self):
        with Server() as server:
            s3 = server.client("s3")
            s3.create_bucket(Bucket="shown", ACL="public-read")
            self.assertEqual(len(s3.get_bucket_acl(Bucket="shown")["Grants"]), 2)
            s3.put_object(Bucket="shown", Key="k", Body=b"1", ACL="public-read")
            self.assertEqual(send(server, "GET", "/shown/k", headers={"Host": server.endpoint[7:]}).data, b"1")
            s3.put_bucket_policy(Bucket="shown", Policy=allow("shown"))
            for code, call in [("NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block),
                               ("OwnershipControlsNotFoundError", s3.get_bucket_ownership_controls)]:
                with self.assertRaises(s3.exceptions.ClientError) as error:
                    call(Bucket="shown")
                self.assertEqual(error.exception.response["Error"]["Code"], code)

    def test_option(self):
        with self.assertRaises(RuntimeError):
            Server(arguments=["--new-buckets", "ajar"])


class CommandLine(BucketCase):
    """The AWS CLI."""

    def test_bucket(self):
        self.server.aws("s3", "mb", "s3://by-cli")
        self.server.aws("s3api", "put-bucket-cors", "--bucket", "by-cli", "--cors-configuration",
                        '{"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}]}')
        self.server.aws("s3api", "put-bucket-lifecycle-configuration", "--bucket", "by-cli", "--lifecycle-configuration",
                        '{"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}]}')
        self.assertEqual(len(self.s3.get_bucket_cors(Bucket="by-cli")["CORSRules"]), 1)
        self.assertEqual(self.s3.get_bucket_lifecycle_configuration(Bucket="by-cli")["Rules"][0]["ID"], "r")
        self.server.aws("s3", "rb", "s3://by-cli")


class Policies(BucketCase):
    def test_life(self):
        name = self.open_bucket()
        self.fails("NoSuchBucketPolicy", 404, self.s3.get_bucket_policy, Bucket=name)
        self.fails("NoSuchBucketPolicy", 404, self.s3.get_bucket_policy_status, Bucket=name)
        self.s3.put_bucket_policy(Bucket=name, Policy=allow(name))
        self.assertEqual(json.loads(self.s3.get_bucket_policy(Bucket=name)["Policy"]), json.loads(allow(name)))
        self.assertTrue(self.s3.get_bucket_policy_status(Bucket=name)["PolicyStatus"]["IsPublic"])
        self.s3.delete_bucket_policy(Bucket=name)
        self.fails("NoSuchBucketPolicy", 404, self.s3.get_bucket_policy, Bucket=name)
        self.s3.delete_bucket_policy(Bucket=name)

    def test_answer_is_json(self):
        name = self.open_bucket()
        self.s3.put_bucket_policy(Bucket=name, Policy=" " + allow(name))
        response = raw(self.server, "GET", "/%s?policy" % name)
        self.assertEqual((response.headers["Content-Type"], response.data.decode()), ("application/json", " " + allow(name)))

    def test_malformed(self):
        name = self.open_bucket()
        for policy, word in [("", "first byte"), ("[]", "first byte"), ("{", "Json"),
                             (allow(name, action="ec2:Run"), "action"), (allow("other-bucket"), "resource"),
                             (allow(name, resource=""), "does not apply"), (allow(name, action="s3:ListBucket"), "does not apply"),
                             (json.dumps({"Version": "2012-10-17"}), ""), (allow(name, principal={"Robot": "x"}), ""),
                             (allow(name, Effect="Perhaps"), ""), (allow(name, Condition={"Roughly": {"a": "b"}}), "")]:
            with self.subTest(policy=policy[:100]):
                response = raw(self.server, "PUT", "/%s?policy" % name, policy.encode())
                self.refused(response, 400, "MalformedPolicy")
                self.assertIn(word, text_of(response, "Message"))
        big = allow(name, Sid="x" * 20480)
        self.refused(raw(self.server, "PUT", "/%s?policy" % name, big.encode()), 400, "PolicyTooLarge")

    def test_principals_are_there(self):
        name, iam = self.open_bucket(), self.server.client("iam")
        user = iam.create_user(UserName="reader", Path="/team/")["User"]["Arn"]
        for principal, good in [(user, True), ("arn:aws:iam::012345678901:root", True), ("012345678901", True),
                                ("arn:aws:iam::210987654321:user/elsewhere", True),
                                ("arn:aws:iam::012345678901:user/reader", False),
                                ("arn:aws:iam::012345678901:role/none", False)]:
            with self.subTest(principal=principal):
                if good:
                    self.s3.put_bucket_policy(Bucket=name, Policy=allow(name, {"AWS": [principal]}))
                else:
                    response = self.fails("MalformedPolicy", 400, self.s3.put_bucket_policy, Bucket=name,
                                          Policy=allow(name, {"AWS": [user, principal]}))
                    self.assertEqual(response["Error"]["Message"], "Invalid principal in policy")

    def test_what_is_public(self):
        name = self.open_bucket()
        account = "arn:aws:iam::012345678901:root"
        for policy, public in [
                (allow(name), True), (allow(name, {"AWS": "*"}), True), (allow(name, {"AWS": [account, "*"]}), True),
                (allow(name, {"AWS": account}), False), (allow(name, {"Service": "logging.s3.amazonaws.com"}), False),
                (allow(name, Effect="Deny"), False),
                (allow(name, Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}), False),
                (allow(name, Condition={"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}), True),
                (allow(name, Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}}), False),
                (allow(name, Condition={"StringLike": {"aws:SourceVpc": "vpc-*"}}), True),
                (allow(name, Condition={"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}), True),
                (allow(name, Condition={"StringEquals": {"aws:PrincipalOrgID": ["o-1", "o-2"]}}), False),
                (allow(name, Condition={"Bool": {"aws:SecureTransport": "true"}}), True)]:
            with self.subTest(policy=policy):
                self.s3.put_bucket_policy(Bucket=name, Policy=policy)
                self.assertEqual(self.s3.get_bucket_policy_status(Bucket=name)["PolicyStatus"]["IsPublic"], public)


class Others(BucketCase):
    def test_encryption(self):
        name = self.bucket()

        def rule():
            return self.s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
        self.assertEqual(rule(), {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False})
        self.s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [
            {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}]})
        self.assertTrue(rule()["BucketKeyEnabled"])
        self.s3.delete_bucket_encryption(Bucket=name)
        self.assertFalse(rule()["BucketKeyEnabled"])
        self.fails("NotImplemented", 501, self.s3.put_bucket_encryption, Bucket=name, ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]})
        self.fails("MalformedXML", 400, self.s3.put_bucket_encryption, Bucket=name, ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "ROT13"}}]})

    def test_what_no_bucket_has(self):
        s3, name = self.s3, self.bucket()
        self.assertEqual(s3.get_bucket_request_payment(Bucket=name)["Payer"], "BucketOwner")
        self.assertNotIn("LoggingEnabled", s3.get_bucket_logging(Bucket=name))
        self.assertNotIn("Status", s3.get_bucket_accelerate_configuration(Bucket=name))
        self.assertFalse(s3.list_bucket_metrics_configurations(Bucket=name)["IsTruncated"])
        self.assertFalse(s3.list_bucket_inventory_configurations(Bucket=name)["IsTruncated"])
        for code, call in [("NoSuchWebsiteConfiguration", s3.get_bucket_website),
                           ("ReplicationConfigurationNotFoundError", s3.get_bucket_replication),
                           ("ObjectLockConfigurationNotFoundError", s3.get_object_lock_configuration),
                           ("NoSuchCORSConfiguration", s3.get_bucket_cors),
                           ("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration)]:
            with self.subTest(code=code):
                self.fails(code, 404, call, Bucket=name)
        self.fails("NoSuchConfiguration", 404, s3.get_bucket_analytics_configuration, Bucket=name, Id="x")
        s3.delete_bucket_website(Bucket=name)
        s3.delete_bucket_replication(Bucket=name)

    def test_puts_of_what_is_not_there_are_refused_by_name(self):
        s3, name = self.s3, self.bucket()
        s3.put_bucket_request_payment(Bucket=name, RequestPaymentConfiguration={"Payer": "BucketOwner"})
        s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={})
        s3.put_bucket_accelerate_configuration(Bucket=name, AccelerateConfiguration={"Status": "Suspended"})
        for word, call, arguments in [
                ("requestPayment", s3.put_bucket_request_payment, {"RequestPaymentConfiguration": {"Payer": "Requester"}}),
                ("logging", s3.put_bucket_logging,
                 {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": name, "TargetPrefix": ""}}}),
                ("accelerate", s3.put_bucket_accelerate_configuration, {"AccelerateConfiguration": {"Status": "Enabled"}}),
                ("website", s3.put_bucket_website, {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "i"}}})]:
            with self.subTest(word=word):
                self.assertIn(word, self.fails("NotImplemented", 501, call, Bucket=name, **arguments)["Error"]["Message"])


FUNCTION = "arn:aws:lambda:us-east-1:012345678901:function:thumbnails"


class Notifications(BucketCase):
    def put(self, name, *functions, **more):
        self.s3.put_bucket_notification_configuration(
            Bucket=name, SkipDestinationValidation=True,
            NotificationConfiguration={"LambdaFunctionConfigurations": list(functions), **more})

    def function(self, events=("s3:ObjectCreated:*",), arn=FUNCTION, prefix=None, suffix=None, **more):
        rules = [{"Name": n, "Value": v} for n, v in [("Prefix", prefix), ("Suffix", suffix)] if v is not None]
        return {"LambdaFunctionArn": arn, "Events": list(events), **({"Filter": {"Key": {"FilterRules": rules}}} if rules else {}),
                **more}

    def test_functions_are_kept(self):
        name = self.bucket()
        wanted = [self.function(prefix="in/", suffix=".mp4", Id="films"), self.function(["s3:ObjectRemoved:Delete"], Id="gone")]
        self.put(name, *wanted, EventBridgeConfiguration={})
        response = self.s3.get_bucket_notification_configuration(Bucket=name)
        self.assertEqual(response["LambdaFunctionConfigurations"], wanted)
        self.assertIn("EventBridgeConfiguration", response)
        self.put(name, self.function())
        response = self.s3.get_bucket_notification_configuration(Bucket=name)
        self.assertTrue(response["LambdaFunctionConfigurations"][0]["Id"])
        self.assertNotIn("EventBridgeConfiguration", response)
        self.s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={})
        self.assertNotIn("LambdaFunctionConfigurations", self.s3.get_bucket_notification_configuration(Bucket=name))

    def test_bad(self):
        name = self.bucket()
        create = self.function
        for functions, word in [
                ([create(["s3:ObjectEaten:*"])], "event"), ([create(arn="thumbnails")], "ARN"),
                ([create(arn=FUNCTION.replace("us-east-1", "eu-west-1"))], "destination"),
                ([create(Id="a"), create(Id="b")], "ambiguously"),
                ([create(["s3:ObjectCreated:Put"], Id="a"), create(Id="b")], "ambiguously"),
                ([create(prefix="a", Id="a"), create(prefix="ab", Id="b")], "ambiguously"),
                ([create(prefix="a", Id="same"), create(prefix="b", Id="same")], "ID"),
                ([create(prefix="x" * 1025)], "1024")]:
            with self.subTest(word=word, count=len(functions)):
                with self.assertRaises(self.s3.exceptions.ClientError) as error:
                    self.put(name, *functions)
                self.assertEqual(error.exception.response["Error"]["Code"], "InvalidArgument")
                self.assertIn(word, error.exception.response["Error"]["Message"])
        self.put(name, create(prefix="a", suffix=".jpg", Id="a"), create(prefix="a", suffix=".png", Id="b"),
                 create(["s3:ObjectRemoved:*"], Id="c"))

    def test_topics_and_queues_cannot_be_reached(self):
        name = self.bucket()
        for kind, member, arn in [("QueueConfigurations", "QueueArn", "arn:aws:sqs:us-east-1:012345678901:q"),
                                  ("TopicConfigurations", "TopicArn", "arn:aws:sns:us-east-1:012345678901:t")]:
            with self.subTest(kind=kind):
                response = self.fails("InvalidArgument", 400, self.s3.put_bucket_notification_configuration, Bucket=name,
                                      NotificationConfiguration={kind: [{member: arn, "Events": ["s3:ObjectCreated:*"]}]})
                self.assertIn("Unable to validate", response["Error"]["Message"])


if __name__ == "__main__":
    unittest.main()
