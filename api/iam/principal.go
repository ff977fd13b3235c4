package iam

import (
	"fmt"
	"regexp"
	"strings"
)

type principalKind int

const (
	accountRoot principalKind = iota + 1
	user
	role
	roleSession
	federatedUser
)

// principalTypes are the values of aws:PrincipalType.
var principalTypes = map[principalKind]string{
	accountRoot:   "Account",
	user:          "User",
	role:          "AssumedRole",
	roleSession:   "AssumedRole",
	federatedUser: "FederatedUser",
}

// Principal is who sends a request, or who a policy names. ParsePrincipal
// makes one:
//
//	arn:aws:iam::ACCOUNT:root
//	arn:aws:iam::ACCOUNT:user/[PATH/]NAME
//	arn:aws:iam::ACCOUNT:role/[PATH/]NAME
//	arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
//	arn:aws:sts::ACCOUNT:federated-user/NAME
type Principal struct {
	ARN     string
	Account string // twelve digits
	// Role is the ARN of the role of a session. The ARN of a session does not
	// hold the role's path: whoever knows that there is one sets Role.
	Role string
	// ID is the unique id, for aws:userid: whoever knows it sets it. Sessions of
	// a role have ID:SESSION.
	ID string

	partition string
	kind      principalKind
	name      string // without the path
}

var (
	accountID     = regexp.MustCompile(`^[0-9]{12}$`)
	partitionName = regexp.MustCompile(`^aws(-[a-z]+)*$`)
	// principalName is a name with its path. Source: IAM's names and paths,
	// without the rare characters that a policy would take for its own.
	principalName = regexp.MustCompile(`^([\x21-\x29\x2b-\x3e\x40-\x7e]+/)?[\w+=,.@-]+$`)
)

// maxPrincipal bounds the ARN of a principal: IAM's paths end at 512.
const maxPrincipal = 1024

// ParsePrincipal reads the ARN of a principal.
func ParsePrincipal(arn string) (Principal, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(arn) > maxPrincipal || len(parts) != 6 || parts[0] != "arn" || parts[3] != "" {
		return Principal{}, fmt.Errorf("%s is not the ARN of a principal, such as arn:aws:iam::123456789012:user/name", quote(arn))
	}
	p := Principal{ARN: arn, Account: parts[4], partition: parts[1]}
	if !partitionName.MatchString(p.partition) || !accountID.MatchString(p.Account) {
		return Principal{}, fmt.Errorf("%s does not name a partition and an account of twelve digits", quote(arn))
	}
	if !p.parseTail(parts[2], parts[5]) {
		return Principal{}, fmt.Errorf("%s does not name a root, a user, a role, a session of a role or a federated user", quote(arn))
	}
	return p, nil
}

func (p *Principal) parseTail(service, tail string) bool {
	word, name, _ := strings.Cut(tail, "/")
	p.name = name[strings.LastIndexByte(name, '/')+1:]
	switch service + " " + word {
	case "iam root":
		p.kind = accountRoot
		return tail == "root"
	case "iam user":
		p.kind = user
	case "iam role":
		p.kind = role
	case "sts federated-user":
		p.kind = federatedUser
	case "sts assumed-role":
		p.kind = roleSession
		of, _, _ := strings.Cut(name, "/")
		p.Role = "arn:" + p.partition + ":iam::" + p.Account + ":role/" + of
		return strings.Count(name, "/") == 1 && principalName.MatchString(name)
	default:
		return false
	}
	return principalName.MatchString(name)
}

// keys are the condition keys that a principal has by itself.
func (p Principal) keys() Keys {
	k := Keys{}
	arn := p.ARN
	if p.kind == roleSession {
		arn = p.Role // sessions are judged by their role
	}
	k.Set("aws:PrincipalArn", arn)
	k.Set("aws:PrincipalAccount", p.Account)
	k.Set("aws:PrincipalType", principalTypes[p.kind])
	if p.ID != "" {
		k.Set("aws:userid", p.ID)
	}
	if p.kind == user {
		k.Set("aws:username", p.name) // of users only
	}
	return k
}

// accountPrincipal is the principal that an account id stands for.
func accountPrincipal(id string) Principal {
	return Principal{ARN: "arn:aws:iam::" + id + ":root", Account: id, partition: "aws", kind: accountRoot}
}

// principals is a Principal element. No caller of this server is one of the
// others.
type principals struct {
	everyone bool
	arns     []Principal // accounts as their roots
	others   []string    // Service, Federated and CanonicalUser
}

// reach says how a Principal element names a caller.
type reach int

const (
	namesNobody  reach = iota
	namesAccount       // of the caller
	namesCaller        // itself, its role, or everyone
)

func (s *principals) names(p Principal) reach {
	if s.everyone {
		return namesCaller
	}
	found := namesNobody
	for _, named := range s.arns {
		switch {
		case named.ARN == p.ARN || named.kind == role && named.ARN == p.Role:
			return namesCaller
		case named.kind == accountRoot && named.Account == p.Account:
			found = namesAccount
		}
	}
	return found
}

// exempts reports whether a NotPrincipal element leaves a caller out of a
// Deny. A caller acts as itself, as its role and as its account, and a Deny of
// any of these denies it: all must be in the list.
func (s *principals) exempts(p Principal) bool {
	var itself, itsRole, itsAccount bool
	for _, named := range s.arns {
		itself = itself || named.ARN == p.ARN
		itsRole = itsRole || named.ARN == p.Role
		itsAccount = itsAccount || named.kind == accountRoot && named.Account == p.Account
	}
	return s.everyone || itself && itsAccount && (itsRole || p.Role == "")
}

// names says how the statement's principal element names a caller.
func (s *Statement) names(p Principal) reach {
	switch {
	case !s.notPrincipal:
		return s.principals.names(p)
	case s.Effect == Deny && s.principals.exempts(p):
		return namesNobody
	// Choice: a list that names the account leaves all of the account out of an
	// Allow, though not out of a Deny.
	case s.Effect == Allow && s.principals.names(p) != namesNobody:
		return namesNobody
	}
	return namesCaller
}
