// Package scripts holds the scripts that set up, test and release this repository; its tests cover install.sh.
package scripts
