package yamldoc

import "strings"

// DidYouMean is the end of a message that suggests the known name nearest to
// name, or nothing when none is near.
func DidYouMean(name string, known []string) string {
	if n := Nearest(name, known); n != "" {
		return "; did you mean '" + n + "'?"
	}
	return ""
}

// Bounds of the search, whose time grows with all of them: names are short,
// and a long text is no misspelling.
const (
	maxName  = 64 // bytes
	maxKnown = 128
)

// Nearest is the known name with the smallest edit distance to name, letter
// case aside, if that is at most a third of its length.
func Nearest(name string, known []string) string {
	if len(name) > maxName {
		return ""
	}
	best, bestDistance := "", -1
	for _, k := range known[:min(len(known), maxKnown)] {
		if len(k) > maxName {
			continue
		}
		d := distance(strings.ToLower(name), strings.ToLower(k))
		if d <= (max(len(k), len(name))+2)/3 && (bestDistance < 0 || d < bestDistance) {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
