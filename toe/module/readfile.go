package module

import (
	"context"
	"fmt"
	"io"
	"os"
)

const maxRead = 8 << 20 // bytes of a file (§9.21)

var readFile = Module{
	Name:        "ReadFile",
	Description: "Reads files as text for later steps.",
	Platforms:   anywhere,
	List:        true,
	Inputs: []Input{
		pathInput("The file, of at most 8 MiB."),
		encodingInput,
		{Name: "printFileContent", Type: Boolean, Default: "false", Description: "Whether the content goes to the log, too."},
	},
	Outputs: []Output{{Name: "content", Type: String, Description: "The whole text; one output for each entry."}},
	Run: func(ctx context.Context, c *Call) (out []Values, err error) {
		run := each(func(_ context.Context, c *Call, in Values) error {
			text, err := readText(c.Path(in.String("path")), in.String("encoding"))
			if err != nil {
				return err
			}
			if in.Bool("printFileContent", false) && text != "" {
				c.Console.Output(Stdout, []byte(text))
			}
			out = append(out, Values{"content": text})
			return nil
		})
		_, err = run(ctx, c)
		return out, err
	},
}

func readText(path, encodingName string) (string, error) {
	enc, err := parseEncoding(encodingName)
	if err != nil {
		return "", err
	}
	f, err := OpenRegular(path, os.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRead+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxRead {
		return "", fmt.Errorf("%s is larger than %d bytes", path, maxRead)
	}
	text, err := enc.decode(data)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return text, nil
}
