package iam_test

import (
	"fmt"
	"strings"
	"testing"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api/iam"
)

const (
	mine   = "111111111111"
	theirs = "222222222222"

	ann     = "arn:aws:iam::" + mine + ":user/ann"
	pathAnn = "arn:aws:iam::" + mine + ":user/web/ann"
	root    = "arn:aws:iam::" + mine + ":root"
	role    = "arn:aws:iam::" + mine + ":role/build"
	session = "arn:aws:sts::" + mine + ":assumed-role/build/night"
	bob     = "arn:aws:iam::" + theirs + ":user/bob"

	nginx  = "arn:aws:imagebuilder:eu-north-1:" + mine + ":component/nginx/1.0.0/1"
	shared = "arn:aws:imagebuilder:eu-north-1:" + theirs + ":component/nginx/1.0.0/1"
)

// ruling is a case of evaluation: what is empty is the default of its comment.
type ruling struct {
	rule     string   // as the public documentation has it
	as       string   // ann
	identity []string // statements; nil: no policy at all
	resource []string // statements; nil: no policy at all
	action   string   // imagebuilder:GetComponent
	on       string   // nginx, or shared if it is theirs
	theirs   bool
	want     iam.Decision
}

func st(effect, rest string) string { return fmt.Sprintf(`{"Effect": %q, %s}`, effect, rest) }

// allow and deny are statements of identity policies.
func allow(action, resource string) string { return element("Allow", "Action", action, resource) }
func deny(action, resource string) string  { return element("Deny", "Action", action, resource) }

func element(effect, name, action, resource string) string {
	return st(effect, fmt.Sprintf(`%q: %q, "Resource": %q`, name, action, resource))
}

// grant and refuse are statements of resource policies about everything.
func grant(principal string) string  { return to("Allow", principal) }
func refuse(principal string) string { return to("Deny", principal) }

func to(effect, principal string) string {
	return st(effect, principal+`, "Action": "*", "Resource": "*"`)
}

func document(statements []string) string {
	return `{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ",") + `]}`
}

func principal(t testing.TB, arn string) iam.Principal {
	t.Helper()
	p, err := iam.ParsePrincipal(arn)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func identityPolicy(t testing.TB, text string) *iam.Policy {
	t.Helper()
	p, err := iam.ParseIdentity(text)
	if err != nil {
		t.Fatalf("ParseIdentity(%s): %v", text, err)
	}
	return p
}

func resourcePolicy(t testing.TB, text string) *iam.Policy {
	t.Helper()
	p, err := iam.ParseResource(text)
	if err != nil {
		t.Fatalf("ParseResource(%s): %v", text, err)
	}
	return p
}

func (c ruling) request(t testing.TB) *iam.Request {
	t.Helper()
	var policies []*iam.Policy
	if c.identity != nil {
		policies = append(policies, identityPolicy(t, document(c.identity)))
	}
	r := &iam.Request{
		Subject:  iam.NewSubject(principal(t, or(c.as, ann)), map[string]string{"team": "web"}, policies...),
		Action:   or(c.action, "imagebuilder:GetComponent"),
		Resource: or(c.on, nginx),
		Owner:    mine,
		Keys:     iam.Keys{},
	}
	if c.theirs {
		r.Owner, r.Resource = theirs, or(c.on, shared)
	}
	if c.resource != nil {
		r.Policy = resourcePolicy(t, document(c.resource))
	}
	return r
}

func or(s, standard string) string {
	if s == "" {
		return standard
	}
	return s
}

func evaluateAll(t *testing.T, cases []ruling) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			if got := c.request(t).Evaluate(); got != c.want {
				t.Errorf("Evaluate() = %v, want %v\nidentity %s\nresource %s", got, c.want, c.identity, c.resource)
			}
		})
	}
}

func TestIdentityPolicies(t *testing.T) {
	all := allow("*", "*")
	some := []string{all}
	evaluateAll(t, []ruling{
		{rule: "default deny", identity: []string{allow("imagebuilder:ListImages", "*")}, want: iam.NoIdentityAllow},
		{rule: "an allow overrides the default", identity: some, want: iam.Allowed},
		{rule: "explicit deny wins over an allow before it", identity: []string{all, deny("*", "*")}, want: iam.IdentityDeny},
		{rule: "explicit deny wins over an allow after it", identity: []string{deny("*", "*"), all}, want: iam.IdentityDeny},
		{rule: "explicit deny of one action leaves the others", identity: []string{all, deny("imagebuilder:DeleteComponent", "*")}, want: iam.Allowed},
		{rule: "explicit deny of one resource leaves the others", identity: []string{all, deny("*", nginx+"0")}, want: iam.Allowed},
		{rule: "explicit deny without any allow is explicit", identity: []string{deny("*", "*")}, want: iam.IdentityDeny},
		{rule: "a key without any policy has full access", want: iam.Allowed},
		{rule: "a key without any policy has full access to lists", on: "*", want: iam.Allowed},
		{rule: "the root of an account has full access", as: root, want: iam.Allowed},
		{rule: "the root of an account is not limited by a default deny", as: root, identity: []string{allow("s3:GetObject", "*")}, want: iam.Allowed},
		{rule: "a role session has the policies of its role", as: session, identity: some, want: iam.Allowed},

		{rule: "action names are exact", identity: []string{allow("imagebuilder:GetComponents", "*")}, want: iam.NoIdentityAllow},
		{rule: "action names are compared without case", identity: []string{allow("ImageBuilder:getcomponent", "*")}, want: iam.Allowed},
		{rule: "actions of another service do not match", identity: []string{allow("ec2:GetComponent", "*")}, want: iam.NoIdentityAllow},
		{rule: "* is every action", identity: []string{allow("*", "*")}, want: iam.Allowed},
		{rule: "service:* is every action of the service", identity: []string{allow("imagebuilder:*", "*")}, want: iam.Allowed},
		{rule: "Get* is a prefix", identity: []string{allow("imagebuilder:Get*", "*")}, want: iam.Allowed},
		{rule: "Get* is no other verb", identity: []string{allow("imagebuilder:Get*", "*")}, action: "imagebuilder:ListComponents", want: iam.NoIdentityAllow},
		{rule: "*Component is a suffix", identity: []string{allow("imagebuilder:*Component", "*")}, want: iam.Allowed},
		{rule: "*Component is no longer word", identity: []string{allow("imagebuilder:*Component", "*")}, action: "imagebuilder:GetComponentPolicy", want: iam.NoIdentityAllow},
		{rule: "a wildcard may be in the middle", identity: []string{allow("imagebuilder:Get*Policy", "*")}, action: "imagebuilder:GetComponentPolicy", want: iam.Allowed},
		{rule: "? is one character", identity: []string{allow("imagebuilder:?etComponent", "*")}, want: iam.Allowed},
		{rule: "? is not no character", identity: []string{allow("imagebuilder:GetComponent?", "*")}, want: iam.NoIdentityAllow},
		{rule: "? is not two characters", identity: []string{allow("imagebuilder:?tComponent", "*")}, want: iam.NoIdentityAllow},
		{rule: "* is also no character", identity: []string{allow("imagebuilder:GetComponent*", "*")}, want: iam.Allowed},
		{rule: "a list of actions is any of them", identity: []string{st("Allow", `"Action": ["ec2:*", "imagebuilder:GetComponent"], "Resource": "*"`)}, want: iam.Allowed},
		{rule: "a list of actions is no other", identity: []string{st("Allow", `"Action": ["ec2:*", "imagebuilder:GetImage"], "Resource": "*"`)}, want: iam.NoIdentityAllow},

		{rule: "NotAction allows every other action", identity: []string{element("Allow", "NotAction", "imagebuilder:DeleteComponent", "*")}, want: iam.Allowed},
		{rule: "NotAction does not allow the named one", identity: []string{element("Allow", "NotAction", "imagebuilder:GetComponent", "*")}, want: iam.NoIdentityAllow},
		{rule: "NotAction with Allow does not deny the named one", identity: []string{element("Allow", "NotAction", "imagebuilder:Get*", "*"), allow("imagebuilder:GetComponent", "*")}, want: iam.Allowed},
		{rule: "NotAction with Deny denies every other action", identity: []string{all, element("Deny", "NotAction", "imagebuilder:List*", "*")}, want: iam.IdentityDeny},
		{rule: "NotAction with Deny does not deny the named one", identity: []string{all, element("Deny", "NotAction", "imagebuilder:Get*", "*")}, want: iam.Allowed},
		{rule: "NotAction with Deny does not allow the named one", identity: []string{element("Deny", "NotAction", "imagebuilder:Get*", "*")}, want: iam.NoIdentityAllow},
		{rule: "NotAction names a list", identity: []string{st("Allow", `"NotAction": ["ec2:*", "imagebuilder:Get*"], "Resource": "*"`)}, want: iam.NoIdentityAllow},

		{rule: "a resource is exact", identity: []string{allow("*", nginx)}, want: iam.Allowed},
		{rule: "a resource is not a prefix of itself", identity: []string{allow("*", nginx[:len(nginx)-2])}, want: iam.NoIdentityAllow},
		{rule: "a resource is compared with case", identity: []string{allow("*", strings.Replace(nginx, "nginx", "Nginx", 1))}, want: iam.NoIdentityAllow},
		{rule: "* in a resource passes over slashes", identity: []string{allow("*", "arn:aws:imagebuilder:eu-north-1:"+mine+":component/*")}, want: iam.Allowed},
		{rule: "* in a resource is another kind only where it stands for it", identity: []string{allow("*", "arn:aws:imagebuilder:eu-north-1:"+mine+":image/*")}, want: iam.NoIdentityAllow},
		{rule: "wildcards stand for regions", identity: []string{allow("*", "arn:aws:imagebuilder:eu-*-1:"+mine+":component/nginx/*")}, want: iam.Allowed},
		{rule: "wildcards stand for no other region", identity: []string{allow("*", "arn:aws:imagebuilder:us-*:"+mine+":component/nginx/*")}, want: iam.NoIdentityAllow},
		{rule: "wildcards stand for accounts", identity: []string{allow("*", "arn:aws:imagebuilder:*:*:component/nginx/*")}, want: iam.Allowed},
		{rule: "wildcards stand for partitions", identity: []string{allow("*", "arn:*:imagebuilder:*:*:component/nginx/*")}, want: iam.Allowed},
		{rule: "? in a resource is one character", identity: []string{allow("*", "arn:aws:imagebuilder:*:*:component/ngin?/1.?.0/1")}, want: iam.Allowed},
		{rule: "? in a resource is not two characters", identity: []string{allow("*", "arn:aws:imagebuilder:*:*:component/ngi?/1.?.0/1")}, want: iam.NoIdentityAllow},
		{rule: "* at the end of a part passes over colons", identity: []string{allow("*", "arn:aws:imagebuilder:*")}, want: iam.Allowed},
		{rule: "a list of resources is any of them", identity: []string{st("Allow", `"Action": "*", "Resource": ["arn:aws:s3:::b", "`+nginx+`"]`)}, want: iam.Allowed},
		{rule: "an action on no resource needs *", identity: []string{allow("*", "arn:aws:imagebuilder:*:*:*")}, on: "*", want: iam.NoIdentityAllow},
		{rule: "an action on no resource is allowed by *", identity: some, on: "*", want: iam.Allowed},
		{rule: "a build to be made is any build", identity: []string{allow("*", "arn:aws:imagebuilder:*:*:component/nginx/1.0.0/*")}, on: nginx[:len(nginx)-1] + "*", want: iam.Allowed},
		{rule: "a build to be made is not a certain build", identity: []string{allow("*", nginx)}, on: nginx[:len(nginx)-1] + "*", want: iam.NoIdentityAllow},

		{rule: "NotResource allows every other resource", identity: []string{st("Allow", `"Action": "*", "NotResource": "arn:aws:s3:::b"`)}, want: iam.Allowed},
		{rule: "NotResource does not allow the named one", identity: []string{st("Allow", `"Action": "*", "NotResource": "arn:aws:imagebuilder:*:*:component/*"`)}, want: iam.NoIdentityAllow},
		{rule: "NotResource with Deny denies every other resource", identity: []string{all, st("Deny", `"Action": "*", "NotResource": "arn:aws:s3:::b"`)}, want: iam.IdentityDeny},
		{rule: "NotResource with Deny spares the named one", identity: []string{all, st("Deny", `"Action": "*", "NotResource": "`+nginx+`"`)}, want: iam.Allowed},
		{rule: "NotAction and NotResource together need both", identity: []string{st("Allow", `"NotAction": "imagebuilder:Get*", "NotResource": "arn:aws:s3:::b"`)}, want: iam.NoIdentityAllow},
	})
}

func TestResourcePolicies(t *testing.T) {
	const everyone = `"Principal": "*"`
	aws := func(arns ...string) string { return `"Principal": {"AWS": ["` + strings.Join(arns, `", "`) + `"]}` }
	not := func(arns ...string) string { return `"NotPrincipal": {"AWS": ["` + strings.Join(arns, `", "`) + `"]}` }
	all, none := []string{allow("*", "*")}, []string{allow("s3:*", "*")}
	evaluateAll(t, []ruling{
		{rule: "same account: an identity policy is enough", identity: all, resource: []string{grant(aws(bob))}, want: iam.Allowed},
		{rule: "same account: a resource policy for the user is enough", identity: none, resource: []string{grant(aws(ann))}, want: iam.Allowed},
		{rule: "same account: neither side is a denial", identity: none, resource: []string{grant(aws(bob))}, want: iam.NoIdentityAllow},
		{rule: "same account: everyone is the user too", identity: none, resource: []string{grant(everyone)}, want: iam.Allowed},
		{rule: "same account: AWS * is everyone", identity: none, resource: []string{grant(aws("*"))}, want: iam.Allowed},
		{rule: "same account: the account delegates to identity policies", identity: none, resource: []string{grant(aws(root))}, want: iam.NoIdentityAllow},
		{rule: "same account: the account id delegates to identity policies", identity: none, resource: []string{grant(aws(mine))}, want: iam.NoIdentityAllow},
		{rule: "same account: delegation and an identity policy allow", identity: all, resource: []string{grant(aws(mine))}, want: iam.Allowed},
		{rule: "same account: a role is enough for its session", as: session, identity: none, resource: []string{grant(aws(role))}, want: iam.Allowed},
		{rule: "same account: a session is enough for itself", as: session, identity: none, resource: []string{grant(aws(session))}, want: iam.Allowed},
		{rule: "same account: a session is not another session", as: session, identity: none, resource: []string{grant(aws(session + "2"))}, want: iam.NoIdentityAllow},
		{rule: "same account: a role is not another role", as: session, identity: none, resource: []string{grant(aws(role + "2"))}, want: iam.NoIdentityAllow},
		{rule: "user names are compared with case", identity: none, resource: []string{grant(aws("arn:aws:iam::" + mine + ":user/Ann"))}, want: iam.NoIdentityAllow},
		{rule: "a user's path is part of the ARN", as: pathAnn, identity: none, resource: []string{grant(aws(ann))}, want: iam.NoIdentityAllow},
		{rule: "a list of principals is any of them", identity: none, resource: []string{grant(aws(bob, ann))}, want: iam.Allowed},
		{rule: "a service principal is no caller", identity: none, resource: []string{grant(`"Principal": {"Service": "imagebuilder.amazonaws.com"}`)}, want: iam.NoIdentityAllow},
		{rule: "a federated principal is no caller", identity: none, resource: []string{grant(`"Principal": {"Federated": "accounts.google.com"}`)}, want: iam.NoIdentityAllow},
		{rule: "a canonical user is no caller", identity: none, resource: []string{grant(`"Principal": {"CanonicalUser": "79a5"}`)}, want: iam.NoIdentityAllow},
		{rule: "principals of several types are any of them", identity: none, resource: []string{grant(`"Principal": {"Service": "ec2.amazonaws.com", "AWS": "` + ann + `"}`)}, want: iam.Allowed},
		{rule: "the resource of a resource policy counts", identity: none, resource: []string{st("Allow", aws(ann)+`, "Action": "*", "Resource": "arn:aws:s3:::b"`)}, want: iam.NoIdentityAllow},
		{rule: "the action of a resource policy counts", identity: none, resource: []string{st("Allow", aws(ann)+`, "Action": "imagebuilder:ListComponents", "Resource": "*"`)}, want: iam.NoIdentityAllow},
		{rule: "a resource policy without statements grants nothing", identity: none, resource: []string{}, want: iam.NoIdentityAllow},

		{rule: "explicit deny of a resource policy wins over identity", identity: all, resource: []string{refuse(aws(ann))}, want: iam.ResourceDeny},
		{rule: "explicit deny of a resource policy wins over its own allow", identity: none, resource: []string{grant(aws(ann)), refuse(everyone)}, want: iam.ResourceDeny},
		{rule: "explicit deny of an identity policy wins over the resource's allow", identity: []string{deny("*", "*")}, resource: []string{grant(aws(ann))}, want: iam.IdentityDeny},
		{rule: "explicit deny of the account denies its users", identity: all, resource: []string{refuse(aws(root))}, want: iam.ResourceDeny},
		{rule: "explicit deny of the account id denies its users", identity: all, resource: []string{refuse(aws(mine))}, want: iam.ResourceDeny},
		{rule: "explicit deny of another account spares this one", identity: all, resource: []string{refuse(aws(theirs))}, want: iam.Allowed},
		{rule: "explicit deny of a role denies its sessions", as: session, identity: all, resource: []string{refuse(aws(role))}, want: iam.ResourceDeny},
		{rule: "explicit deny reaches a key without policies", resource: []string{refuse(everyone)}, want: iam.ResourceDeny},
		{rule: "explicit deny reaches the root of the account", as: root, resource: []string{refuse(aws(root))}, want: iam.ResourceDeny},

		{rule: "cross-account: both sides allow", theirs: true, identity: all, resource: []string{grant(aws(ann))}, want: iam.Allowed},
		{rule: "cross-account: identity alone is a denial", theirs: true, identity: all, want: iam.NoResourceAllow},
		{rule: "cross-account: resource alone is a denial", theirs: true, identity: none, resource: []string{grant(aws(ann))}, want: iam.NoIdentityAllow},
		{rule: "cross-account: neither side", theirs: true, identity: none, want: iam.NoIdentityAllow},
		{rule: "cross-account: the account stands for its users", theirs: true, identity: all, resource: []string{grant(aws(root))}, want: iam.Allowed},
		{rule: "cross-account: the account id stands for its users", theirs: true, identity: all, resource: []string{grant(aws(mine))}, want: iam.Allowed},
		{rule: "cross-account: the account id is not enough without identity", theirs: true, identity: none, resource: []string{grant(aws(mine))}, want: iam.NoIdentityAllow},
		{rule: "cross-account: everyone needs identity too", theirs: true, identity: none, resource: []string{grant(everyone)}, want: iam.NoIdentityAllow},
		{rule: "cross-account: everyone with identity", theirs: true, identity: all, resource: []string{grant(everyone)}, want: iam.Allowed},
		{rule: "cross-account: a third account's grant is not ours", theirs: true, identity: all, resource: []string{grant(aws("333333333333"))}, want: iam.NoResourceAllow},
		{rule: "cross-account: a key without policies needs the owner's side", theirs: true, want: iam.NoResourceAllow},
		{rule: "cross-account: a key without policies passes its own side", theirs: true, resource: []string{grant(aws(mine))}, want: iam.Allowed},
		{rule: "cross-account: the root needs the owner's side", theirs: true, as: root, want: iam.NoResourceAllow},
		{rule: "cross-account: a role stands for its sessions", theirs: true, as: session, identity: all, resource: []string{grant(aws(role))}, want: iam.Allowed},
		{rule: "cross-account: the identity policy must name the foreign resource", theirs: true, identity: []string{allow("*", "arn:aws:imagebuilder:*:"+mine+":*")}, resource: []string{grant(aws(mine))}, want: iam.NoIdentityAllow},
		{rule: "cross-account: explicit deny of the owner", theirs: true, identity: all, resource: []string{grant(aws(mine)), refuse(aws(ann))}, want: iam.ResourceDeny},
		{rule: "cross-account: explicit deny of the caller's account", theirs: true, identity: []string{allow("*", "*"), deny("*", shared)}, resource: []string{grant(aws(mine))}, want: iam.IdentityDeny},

		{rule: "NotPrincipal with Deny denies who is not named", identity: all, resource: []string{refuse(not(bob, theirs))}, want: iam.ResourceDeny},
		{rule: "NotPrincipal with Deny spares a user named with the account", identity: all, resource: []string{refuse(not(ann, root))}, want: iam.Allowed},
		{rule: "NotPrincipal with Deny denies a user named without the account", identity: all, resource: []string{refuse(not(ann))}, want: iam.ResourceDeny},
		{rule: "NotPrincipal with Deny denies the users of an account named alone", identity: all, resource: []string{refuse(not(root))}, want: iam.ResourceDeny},
		{rule: "NotPrincipal with Deny spares a session named with role and account", as: session, identity: all, resource: []string{refuse(not(session, role, mine))}, want: iam.Allowed},
		{rule: "NotPrincipal with Deny denies a session named without its role", as: session, identity: all, resource: []string{refuse(not(session, mine))}, want: iam.ResourceDeny},
		{rule: "NotPrincipal with Deny spares the root that it names", as: root, resource: []string{refuse(not(root))}, want: iam.Allowed},
		{rule: "NotPrincipal of everyone denies nobody", identity: all, resource: []string{refuse(`"NotPrincipal": "*"`)}, want: iam.Allowed},
		{rule: "NotPrincipal with Allow allows who is not named", identity: none, resource: []string{grant(not(bob))}, want: iam.Allowed},
		{rule: "NotPrincipal with Allow does not allow who is named", identity: none, resource: []string{grant(not(ann))}, want: iam.NoIdentityAllow},
		{rule: "NotPrincipal with Allow leaves out the users of a named account", identity: none, resource: []string{grant(not(mine))}, want: iam.NoIdentityAllow},
	})
}

func TestAuthorize(t *testing.T) {
	everyone := `"Principal": "*"`
	for _, c := range []struct {
		ruling
		text string
	}{
		{ruling{identity: []string{allow("s3:*", "*")}}, "User: " + ann + " is not authorized to perform: imagebuilder:GetComponent on resource: " + nginx + " because no identity-based policy allows the imagebuilder:GetComponent action"},
		{ruling{identity: []string{deny("*", "*")}}, "User: " + ann + " is not authorized to perform: imagebuilder:GetComponent on resource: " + nginx + " with an explicit deny in an identity-based policy"},
		{ruling{as: session, resource: []string{refuse(everyone)}}, "User: " + session + " is not authorized to perform: imagebuilder:GetComponent on resource: " + nginx + " with an explicit deny in a resource-based policy"},
		{ruling{theirs: true}, "User: " + ann + " is not authorized to perform: imagebuilder:GetComponent on resource: " + shared + " because no resource-based policy allows the imagebuilder:GetComponent action"},
		{ruling{identity: []string{allow("s3:*", "*")}, action: "imagebuilder:ListImages", on: "*"}, "User: " + ann + " is not authorized to perform: imagebuilder:ListImages on resource: * because no identity-based policy allows the imagebuilder:ListImages action"},
	} {
		err := c.request(t).Authorize()
		if ingot.ErrorCode(err) != ingot.CodeDenied || err.Error() != c.text {
			t.Errorf("Authorize() = %v\nwant %s", err, c.text)
		}
	}
	if err := (ruling{}).request(t).Authorize(); err != nil {
		t.Errorf("Authorize() = %v, want nil", err)
	}
}

func TestSeveralPolicies(t *testing.T) {
	one := identityPolicy(t, document([]string{allow("imagebuilder:Get*", "*")}))
	other := identityPolicy(t, document([]string{deny("imagebuilder:GetImage", "*")}))
	r := ruling{}.request(t)
	r.Subject = iam.NewSubject(principal(t, ann), nil, one, other)
	for action, want := range map[string]iam.Decision{
		"imagebuilder:GetComponent": iam.Allowed,
		"imagebuilder:GetImage":     iam.IdentityDeny,
		"imagebuilder:ListImages":   iam.NoIdentityAllow,
	} {
		r.Action = action
		if got := r.Evaluate(); got != want {
			t.Errorf("Evaluate() of %s = %v, want %v", action, got, want)
		}
	}
	r.Subject = &iam.Subject{}
	if got := r.Evaluate(); got == iam.Allowed {
		t.Error("the zero subject may do something")
	}
}

func TestParsePrincipal(t *testing.T) {
	for arn, want := range map[string]string{
		root:    "",
		pathAnn: "",
		role:    "",
		session: role,
		"arn:aws-cn:sts::" + mine + ":assumed-role/build/a@b.c": "arn:aws-cn:iam::" + mine + ":role/build",
		"arn:aws:sts::" + mine + ":federated-user/ann":          "",
	} {
		p, err := iam.ParsePrincipal(arn)
		if err != nil || p.ARN != arn || p.Account != mine || p.Role != want {
			t.Errorf("ParsePrincipal(%s) = %+v, %v", arn, p, err)
		}
	}
	for _, arn := range []string{
		"", mine, "ann", nginx, root + "x", root + "/x", ann + "/", ann + "?", "arn:aws:iam::" + mine + ":user", "arn:aws:iam::" + mine + ":user/",
		"arn:aws:iam:eu-north-1:" + mine + ":user/ann", "arn:gcp:iam::" + mine + ":user/ann", "arn:aws:iam::1:user/ann", "arn:aws:iam::" + mine + ":instance-profile/p",
		session + "/more", "arn:aws:sts::" + mine + ":assumed-role/build", "arn:aws:sts::" + mine + ":user/ann", ann + strings.Repeat("a", 1024),
	} {
		if p, err := iam.ParsePrincipal(arn); err == nil {
			t.Errorf("ParsePrincipal(%q) = %+v, want an error", arn, p)
		}
	}
}
