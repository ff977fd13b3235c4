package catalog

import (
	"embed"
	"errors"
	"sync"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/toe"
)

// Component is one managed component: the file NAME.yaml in components. Who
// changes a document changes ComponentVersion, too.
type Component struct {
	Name     string
	Data     string
	Document *toe.Document
}

// ComponentVersion is that of all managed components. Source: api.md §7.3.
var ComponentVersion = ingot.NewVersion(1, 0, 0)

//go:embed components
var componentFiles embed.FS

// Components are the managed components in the order of their names. All of
// them are for Linux.
var Components = sync.OnceValue(func() []Component {
	list, err := loadComponents()
	if err != nil {
		panic(err) // a test holds the files to be right
	}
	return list
})

func loadComponents() ([]Component, error) {
	return loadDocuments(componentFiles, "components", func(name, data string) (Component, error) {
		document, findings := toe.Check([]byte(data), toe.CheckOptions{Path: name + ".yaml", Platform: "linux", Service: true})
		if err := findings.Err(); err != nil {
			return Component{}, err
		}
		if len(document.Parameters) > 0 {
			return Component{}, errors.New("managed components have no parameters")
		}
		return Component{Name: name, Data: data, Document: document}, nil
	})
}

// Managed is the component as a resource of a region.
func (c Component) Managed(region string, created time.Time) ingot.ManagedComponent {
	return ingot.ManagedComponent{
		Partition: "aws", Region: region, Name: c.Name, Version: ComponentVersion, Platform: model.PlatformLinux,
		Description: c.Document.Description, Data: c.Data, Created: created,
		ComponentDocument: ingot.ComponentDocument{Type: model.ComponentType(c.Document.Type())},
	}
}
