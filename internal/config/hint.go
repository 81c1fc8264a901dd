package config

import (
	"fmt"
	"strings"
)

// hint says what the author of an unknown key may have meant.
func hint(key string) string {
	const manual = "; hookbridge.toml(5) lists the keys"
	own := plain(lastPart(key))
	for _, o := range Options() {
		if plain(o.Key) != plain(key) && plain(lastPart(o.Key)) != own {
			continue
		}
		table, name, inTable := strings.Cut(o.Key, ".")
		switch {
		case inTable && strings.Contains(key, ".") && plain(table) == plain(key[:strings.IndexByte(key, '.')]), !inTable && !strings.Contains(key, "."):
			return fmt.Sprintf("; did you mean %s?", lastPart(o.Key))
		case inTable:
			return fmt.Sprintf("; did you mean %s in [%s]?", name, table)
		case isTable(key[:strings.LastIndexByte(key, '.')]):
			return fmt.Sprintf("; %s belongs above the first [table]", o.Key)
		}
	}
	best, least := "", 3
	for _, o := range Options() {
		if d := distance(plain(o.Key), plain(key)); d < least {
			best, least = o.Key, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return manual
}

func lastPart(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// plain drops what is easily mistaken: a flag has dashes where a key has
// underscores.
func plain(key string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(strings.ToLower(key))
}

// distance is how many letters have to be changed, added or dropped to make one
// word of the other. Words of very different length are far apart.
func distance(a, b string) int {
	if len(a)-len(b) > 3 || len(b)-len(a) > 3 {
		return 4
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
