package compose

import (
	"iter"

	"go.yaml.in/yaml/v4"
)

// pairs are the keys and values of a mapping, aliases and merge keys followed; the mapping's own keys come first. Of anything else: none.
func pairs(node *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(*yaml.Node, *yaml.Node) bool) { eachPair(node, yield, maxAliases) }
}

// maxAliases ends circles of aliases, which the loader refuses anyway.
const maxAliases = 50

func eachPair(node *yaml.Node, yield func(*yaml.Node, *yaml.Node) bool, depth int) bool {
	node = target(node)
	if node == nil || node.Kind != yaml.MappingNode || depth == 0 {
		return true
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if key := node.Content[i]; !isMerge(key) && !yield(key, node.Content[i+1]) {
			return false
		}
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if !isMerge(node.Content[i]) {
			continue
		}
		bases := []*yaml.Node{node.Content[i+1]}
		if list := target(node.Content[i+1]); list != nil && list.Kind == yaml.SequenceNode {
			bases = list.Content
		}
		for _, b := range bases {
			if !eachPair(b, yield, depth-1) {
				return false
			}
		}
	}
	return true
}

func isMerge(key *yaml.Node) bool {
	return key.Value == "<<" && (key.Tag == "!!merge" || key.Tag == "" || key.Tag == "tag:yaml.org,2002:merge")
}

// target is the node that an alias or a document stands for.
func target(node *yaml.Node) *yaml.Node {
	for n := 0; node != nil && n < maxAliases; n++ {
		switch {
		case node.Kind == yaml.AliasNode:
			node = node.Alias
		case node.Kind == yaml.DocumentNode && len(node.Content) > 0:
			node = node.Content[0]
		default:
			return node
		}
	}
	return node
}

// entry finds a key of a mapping and its value; nil where it is not there.
func entry(node *yaml.Node, name string) (key, value *yaml.Node) {
	for k, v := range pairs(node) {
		if k.Value == name {
			return k, v
		}
	}
	return nil, nil
}

// find goes down a path of keys to a value; nil where it ends early.
func find(node *yaml.Node, path ...string) *yaml.Node {
	for _, name := range path {
		_, node = entry(node, name)
	}
	return node
}

// texts are the text of a scalar or of each item of a list.
func texts(node *yaml.Node) []string {
	node = target(node)
	switch {
	case node == nil:
		return nil
	case node.Kind == yaml.ScalarNode && node.Value != "":
		return []string{node.Value}
	case node.Kind == yaml.SequenceNode:
		var all []string
		for _, item := range node.Content {
			if item = target(item); item.Kind == yaml.ScalarNode {
				all = append(all, item.Value)
			}
		}
		return all
	}
	return nil
}
