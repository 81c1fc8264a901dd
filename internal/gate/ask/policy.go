package ask

import "fmt"

// Policy is what becomes of a guest when the agent cannot be asked.
type Policy string

// The policies of gate.unavailable.
const (
	Allow Policy = "allow"
	Deny  Policy = "deny"
)

// ParsePolicy takes the word for a policy.
func ParsePolicy(s string) (Policy, error) {
	switch p := Policy(s); p {
	case Allow, Deny:
		return p, nil
	}
	return "", fmt.Errorf("%q is neither allow nor deny", s)
}

// Set makes Policy a flag's value.
func (p *Policy) Set(s string) error {
	parsed, err := ParsePolicy(s)
	if err == nil {
		*p = parsed
	}
	return err
}

// String returns the word for the policy.
func (p *Policy) String() string { return string(*p) }

// Type names the flag's value in a usage text.
func (p *Policy) Type() string { return "allow|deny" }
