package workflow

// Groups splits the TEST workflows of an image into those that run side by
// side, in the order in which each group first appears. group returns the
// name of an element's parallelGroup; one without a name is a group of its own.
// Source: workflows.md §9.
func Groups[T any](list []T, group func(T) string) [][]T {
	var groups [][]T
	at := map[string]int{}
	for _, element := range list {
		name := group(element)
		i, known := at[name]
		if name == "" || !known {
			at[name] = len(groups)
			groups = append(groups, []T{element})
			continue
		}
		groups[i] = append(groups[i], element)
	}
	return groups
}
