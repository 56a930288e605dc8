package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// condition is a condition type, as its constant's comment explains it.
type condition struct {
	name  string
	text  string
	kinds []string // empty: every kind
}

func (c condition) appliesTo(kind string) bool {
	if len(c.kinds) == 0 {
		return true
	}
	for _, k := range c.kinds {
		if k == kind {
			return true
		}
	}
	return false
}

// kindList is the end of a comment that names the kinds: (ETLPipeline, ReverseETLSync).
var kindList = regexp.MustCompile(`\s*\(([A-Z]\w*(?:, [A-Z]\w*)*)\)\.?$`)

// readConditions finds the constants Condition* in a Go file, in its order.
func readConditions(path string) ([]condition, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var found []condition
	var failed error
	ast.Inspect(file, func(node ast.Node) bool {
		spec, is := node.(*ast.ValueSpec)
		if !is || !strings.HasPrefix(spec.Names[0].Name, "Condition") {
			return true
		}
		c, err := parseCondition(spec)
		if err != nil {
			failed = fmt.Errorf("%s: %s: %w", path, spec.Names[0].Name, err)
			return false
		}
		found = append(found, c)
		return true
	})
	return found, failed
}

func parseCondition(spec *ast.ValueSpec) (condition, error) {
	literal, is := spec.Values[0].(*ast.BasicLit)
	if !is {
		return condition{}, fmt.Errorf("want a string literal")
	}
	name, err := strconv.Unquote(literal.Value)
	if err != nil {
		return condition{}, err
	}
	text := strings.Join(strings.Fields(spec.Doc.Text()), " ")
	text = strings.TrimLeft(strings.TrimPrefix(text, spec.Names[0].Name), ": ")
	text = strings.TrimPrefix(text, "is true ")
	if text == "" {
		return condition{}, fmt.Errorf("want a comment that says when it is true")
	}
	c := condition{name: name, text: text}
	if match := kindList.FindStringSubmatchIndex(text); match != nil {
		c.kinds = strings.Split(text[match[2]:match[3]], ", ")
		c.text = text[:match[0]] + "."
	}
	return c, nil
}
