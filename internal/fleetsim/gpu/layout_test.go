//go:build unix

package gpu

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// TestLayoutIsTheHeaders compiles a program that prints sizes, offsets, constants and function names of the C headers and compares
// them with the Go side, field by field.
func TestLayoutIsTheHeaders(t *testing.T) {
	var program, want strings.Builder
	fmt.Fprintln(&program, "#include <stdio.h>\n#include <stddef.h>\n#include \"state.h\"\n#include \"functions.h\"\nint main(void) {")
	for _, v := range []any{
		integralsLayout{}, sampleLayout{}, ringLayout{}, processLayout{}, processesLayout{}, migLayout{}, retiredLayout{}, coreLayout{},
		deviceLayout{}, eventLayout{}, stateLayout{},
	} {
		describeType(&program, &want, reflect.TypeOf(v))
	}
	for name, value := range map[string]uint64{
		"FLEETSIM_MAGIC": stateMagic, "FLEETSIM_VERSION": stateVersion, "FLEETSIM_FAULT_SYSTEM": MaxDevices,
		"FLEETSIM_FAULT_CODE_BITS": faultCodeBits, "FLEETSIM_FAULT_FOREVER": faultForever,
		"FLEETSIM_SM": unitSM, "FLEETSIM_SM_OCCUPANCY": unitSMOccupancy, "FLEETSIM_TENSOR": unitTensor, "FLEETSIM_DRAM": unitDRAM,
		"FLEETSIM_TENSOR_DFMA": unitTensorDFMA, "FLEETSIM_TENSOR_HMMA": unitTensorHMMA, "FLEETSIM_TENSOR_IMMA": unitTensorIMMA,
		"FLEETSIM_FP64": unitFP64, "FLEETSIM_FP32": unitFP32, "FLEETSIM_FP16": unitFP16, "FLEETSIM_UNITS": unitCount,
		"FLEETSIM_SERIES_POWER": seriesPower, "FLEETSIM_SERIES_GPU": seriesGPU, "FLEETSIM_SERIES_MEMORY": seriesMemory,
		"FLEETSIM_SERIES_SM_CLOCK": seriesSMClock, "FLEETSIM_SERIES_MEMORY_CLOCK": seriesMemoryClock,
		"FLEETSIM_VIOLATION_POWER": violationPower, "FLEETSIM_VIOLATION_SW_THERMAL": violationSWThermal,
		"FLEETSIM_VIOLATION_HW_THERMAL": violationHWThermal, "FLEETSIM_VIOLATION_HW_BRAKE": violationHWBrake,
	} {
		fmt.Fprintf(&program, "printf(\"%s %%llu\\n\", (unsigned long long)%s);\n", name, name)
		fmt.Fprintf(&want, "%s %d\n", name, value)
	}
	fmt.Fprintln(&program, "#define PRINT(name) puts(#name);\nFLEETSIM_FUNCTIONS(PRINT)\nreturn 0; }")
	for _, name := range Functions() {
		fmt.Fprintln(&want, name)
	}
	require.LessOrEqual(t, len(Functions()), maxFunctions)
	require.Equal(t, want.String(), runC(t, program.String()))
}

// describeType writes the C statements that print a structure and what they should print.
func describeType(program, want *strings.Builder, typ reflect.Type) {
	name := "struct fleetsim_" + strings.TrimSuffix(typ.Name(), "Layout")
	fmt.Fprintf(program, "printf(\"%s %%zu\\n\", sizeof(%s));\n", name, name)
	fmt.Fprintf(want, "%s %d\n", name, typ.Size())
	for i := range typ.NumField() {
		field := typ.Field(i)
		c := snake(field.Name)
		fmt.Fprintf(program, "printf(\"%s.%s %%zu %%zu\\n\", offsetof(%s, %s), sizeof(((%s *)0)->%s));\n", name, c, name, c, name, c)
		fmt.Fprintf(want, "%s.%s %d %d\n", name, c, field.Offset, field.Type.Size())
	}
}

func snake(name string) string {
	var out strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

func runC(t *testing.T, program string) string {
	t.Helper()
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "layout.c"), filepath.Join(dir, "layout")
	require.NoError(t, os.WriteFile(source, []byte(program), 0o600))
	headers, err := filepath.Abs("../../../tests/nvmlstub")
	require.NoError(t, err)
	out, err := exec.Command("gcc", "-std=c11", "-Wall", "-Werror", "-I", headers, "-o", binary, source).CombinedOutput()
	require.NoError(t, err, "gcc: %s", out)
	out, err = exec.Command(binary).Output()
	require.NoError(t, err)
	return string(out)
}
