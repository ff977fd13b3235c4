package module

import (
	"context"
	"errors"
	"os"
)

var appendFile = Module{
	Name:        "AppendFile",
	Description: "Adds a content to the end of existing files.",
	Platforms:   anywhere,
	List:        true,
	Inputs: []Input{
		pathInput("The file; it must exist."),
		{Name: "content", Type: String, Description: "Added as it stands, without a final line feed."},
		encodingInput,
	},
	Run: each(func(_ context.Context, c *Call, in Values) error {
		enc, err := parseEncoding(in.String("encoding"))
		if err != nil {
			return err
		}
		f, err := OpenRegular(c.Path(in.String("path")), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(enc.encode(in.String("content")))
		return errors.Join(err, f.Close())
	}),
}
