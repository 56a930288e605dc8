package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/amdgpu-framework/datastack/hack/localcluster/boot"
	"github.com/amdgpu-framework/datastack/hack/localcluster/image"
	"github.com/amdgpu-framework/datastack/hack/localcluster/packages"
	"github.com/spf13/cobra"
)

func imageCommand(cluster clusterFunc) *cobra.Command {
	c := &cobra.Command{Use: "image", Short: "Build container images from files, and import them into the cluster"}
	c.AddCommand(imageBuildCommand(), imageImportCommand(cluster))
	return c
}

func imageBuildCommand() *cobra.Command {
	var config, root, out string
	c := &cobra.Command{
		Use: "build [NAME]...", Short: "Write the archives of the images in the list whose content changed (default: all)",
		RunE: func(cmd *cobra.Command, names []string) error {
			specs, err := image.ReadSpecs(config)
			if err != nil {
				return err
			}
			for _, name := range names {
				if !slices.ContainsFunc(specs, func(s image.Spec) bool { return s.Name == name }) {
					return fmt.Errorf("no image %q in %s", name, config)
				}
			}
			for _, s := range specs {
				if len(names) > 0 && !slices.Contains(names, s.Name) {
					continue
				}
				started := time.Now()
				changed, err := image.Build(s, root, filepath.Join(out, archiveName(s.Name)))
				if err != nil {
					return err
				}
				boot.Step(cmd.OutOrStdout(), "image "+s.Name, map[bool]string{true: "built", false: "unchanged"}[changed], started)
			}
			return nil
		},
	}
	c.Flags().StringVar(&config, "config", "hack/localcluster/images.yaml", "list of images")
	c.Flags().StringVar(&root, "root", ".", "folder that the list's paths are relative to")
	c.Flags().StringVar(&out, "out", "bin/images", "folder for the archives")
	return c
}

func imageImportCommand(cluster clusterFunc) *cobra.Command {
	return &cobra.Command{
		Use: "import ARCHIVE...", Short: "Import archives that the cluster does not have yet", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, archives []string) error {
			c, err := cluster()
			if err != nil {
				return err
			}
			found, err := packages.Find()
			if err != nil {
				return err
			}
			importer, err := boot.Importer(c, found.Ctr)
			if err != nil {
				return err
			}
			for _, archive := range archives {
				started := time.Now()
				imported, err := importer.Import(cmd.Context(), archive)
				if err != nil {
					return err
				}
				boot.Step(cmd.OutOrStdout(), filepath.Base(archive), map[bool]string{true: "imported", false: "unchanged"}[imported], started)
			}
			return nil
		},
	}
}

// archiveName makes a file name of an image's name: datastack/manager:dev is datastack-manager.tar.
func archiveName(name string) string {
	repository, _, _ := strings.Cut(name, ":")
	return strings.ReplaceAll(repository, "/", "-") + ".tar"
}

func packagesCommand() *cobra.Command {
	var install bool
	c := &cobra.Command{
		Use: "packages", Short: "Name the Debian packages that are missing, or install them", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := packages.Find()
			if missing := (*packages.MissingError)(nil); install && errors.As(err, &missing) {
				if err := packages.CheckMachine(); err != nil {
					return err
				}
				if err := packages.Install(missing.Packages); err != nil {
					return err
				}
				_, err = packages.Find()
				return err
			}
			return err
		},
	}
	c.Flags().BoolVar(&install, "install", false, "install what is missing with apt-get")
	return c
}
