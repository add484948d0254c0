// SPDX-License-Identifier: MIT OR Apache-2.0
// The block RAM of the ECP5 for the simulation of netlists: 18 kbit, two ports. Yosys has no model of it.
//
// Written from Lattice's TN1264, "ECP5 and ECP5-5G Memory Usage Guide". It knows the modes that Yosys maps memories on,
// and output registers; others stop Verilator with an error. What a port reads of bytes that the other writes at the same
// clock is not defined there: here it is the inverse of what was stored, so that a design that depends on it fails.

module DP16KD (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
          DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
           DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
          DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
           DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG";
    parameter REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000";
    parameter CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL";
    parameter WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA";
    parameter CLKBMUX = "CLKB";
    parameter GSR = "ENABLED";
    parameter INIT_DATA = "STATIC";
    parameter WID = 0;
    parameter [319:0] INITVAL_00 = 320'd0;
    parameter [319:0] INITVAL_01 = 320'd0;
    parameter [319:0] INITVAL_02 = 320'd0;
    parameter [319:0] INITVAL_03 = 320'd0;
    parameter [319:0] INITVAL_04 = 320'd0;
    parameter [319:0] INITVAL_05 = 320'd0;
    parameter [319:0] INITVAL_06 = 320'd0;
    parameter [319:0] INITVAL_07 = 320'd0;
    parameter [319:0] INITVAL_08 = 320'd0;
    parameter [319:0] INITVAL_09 = 320'd0;
    parameter [319:0] INITVAL_0A = 320'd0;
    parameter [319:0] INITVAL_0B = 320'd0;
    parameter [319:0] INITVAL_0C = 320'd0;
    parameter [319:0] INITVAL_0D = 320'd0;
    parameter [319:0] INITVAL_0E = 320'd0;
    parameter [319:0] INITVAL_0F = 320'd0;
    parameter [319:0] INITVAL_10 = 320'd0;
    parameter [319:0] INITVAL_11 = 320'd0;
    parameter [319:0] INITVAL_12 = 320'd0;
    parameter [319:0] INITVAL_13 = 320'd0;
    parameter [319:0] INITVAL_14 = 320'd0;
    parameter [319:0] INITVAL_15 = 320'd0;
    parameter [319:0] INITVAL_16 = 320'd0;
    parameter [319:0] INITVAL_17 = 320'd0;
    parameter [319:0] INITVAL_18 = 320'd0;
    parameter [319:0] INITVAL_19 = 320'd0;
    parameter [319:0] INITVAL_1A = 320'd0;
    parameter [319:0] INITVAL_1B = 320'd0;
    parameter [319:0] INITVAL_1C = 320'd0;
    parameter [319:0] INITVAL_1D = 320'd0;
    parameter [319:0] INITVAL_1E = 320'd0;
    parameter [319:0] INITVAL_1F = 320'd0;
    parameter [319:0] INITVAL_20 = 320'd0;
    parameter [319:0] INITVAL_21 = 320'd0;
    parameter [319:0] INITVAL_22 = 320'd0;
    parameter [319:0] INITVAL_23 = 320'd0;
    parameter [319:0] INITVAL_24 = 320'd0;
    parameter [319:0] INITVAL_25 = 320'd0;
    parameter [319:0] INITVAL_26 = 320'd0;
    parameter [319:0] INITVAL_27 = 320'd0;
    parameter [319:0] INITVAL_28 = 320'd0;
    parameter [319:0] INITVAL_29 = 320'd0;
    parameter [319:0] INITVAL_2A = 320'd0;
    parameter [319:0] INITVAL_2B = 320'd0;
    parameter [319:0] INITVAL_2C = 320'd0;
    parameter [319:0] INITVAL_2D = 320'd0;
    parameter [319:0] INITVAL_2E = 320'd0;
    parameter [319:0] INITVAL_2F = 320'd0;
    parameter [319:0] INITVAL_30 = 320'd0;
    parameter [319:0] INITVAL_31 = 320'd0;
    parameter [319:0] INITVAL_32 = 320'd0;
    parameter [319:0] INITVAL_33 = 320'd0;
    parameter [319:0] INITVAL_34 = 320'd0;
    parameter [319:0] INITVAL_35 = 320'd0;
    parameter [319:0] INITVAL_36 = 320'd0;
    parameter [319:0] INITVAL_37 = 320'd0;
    parameter [319:0] INITVAL_38 = 320'd0;
    parameter [319:0] INITVAL_39 = 320'd0;
    parameter [319:0] INITVAL_3A = 320'd0;
    parameter [319:0] INITVAL_3B = 320'd0;
    parameter [319:0] INITVAL_3C = 320'd0;
    parameter [319:0] INITVAL_3D = 320'd0;
    parameter [319:0] INITVAL_3E = 320'd0;
    parameter [319:0] INITVAL_3F = 320'd0;

    if (DATA_WIDTH_A != 9 && DATA_WIDTH_A != 18 && DATA_WIDTH_A != 36)
        $error("DP16KD: DATA_WIDTH_A must be 9, 18 or 36");
    if (DATA_WIDTH_B != 9 && DATA_WIDTH_B != 18 && DATA_WIDTH_B != 36)
        $error("DP16KD: DATA_WIDTH_B is not 9, 18 or 36");
    if (CSDECODE_A != "0b000" || CSDECODE_B != "0b000") $error("DP16KD: a CSDECODE is not 0b000");
    if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB") $error("DP16KD: a clock is inverted");

    // 512 words of four bytes of nine bits; a port of 18 or 9 bits sees a half or a quarter of one.
    reg [35:0] mem [0:511];
    localparam [64*320-1:0] INITVAL = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
        INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
        INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
        INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
        INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
        INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
        INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
    };
    integer i;
    initial for (i = 0; i < 512; i = i + 1) mem[i] = {INITVAL[40*i + 20 +: 18], INITVAL[40*i +: 18]};

    wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [17:0] dia = {
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
        DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0
    };
    wire [17:0] dib = {
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
        DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0
    };

    // A port of 36 bits has the data pins of both.
    wire [35:0] write_a = DATA_WIDTH_A == 36 ? {dib, dia} : DATA_WIDTH_A == 18 ? {2{dia}} : {4{dia[8:0]}};
    wire [35:0] write_b = DATA_WIDTH_B == 36 ? {dib, dia} : DATA_WIDTH_B == 18 ? {2{dib}} : {4{dib[8:0]}};
    wire on_a = CEA && {CSA2, CSA1, CSA0} == 3'd0;
    wire on_b = CEB && {CSB2, CSB1, CSB0} == 3'd0;
    // Ports of 18 and 36 bits have byte enables in their lowest address bits.
    wire [3:0] bytes_a = !(on_a && WEA) ? 4'd0
                       : DATA_WIDTH_A == 36 ? ada[3:0]
                       : DATA_WIDTH_A == 18 ? (ada[4] ? {ada[1:0], 2'd0} : {2'd0, ada[1:0]})
                       : 4'd1 << ada[4:3];
    wire [3:0] bytes_b = !(on_b && WEB) ? 4'd0
                       : DATA_WIDTH_B == 36 ? adb[3:0]
                       : DATA_WIDTH_B == 18 ? (adb[4] ? {adb[1:0], 2'd0} : {2'd0, adb[1:0]})
                       : 4'd1 << adb[4:3];
    wire [35:0] mask_a = {{9{bytes_a[3]}}, {9{bytes_a[2]}}, {9{bytes_a[1]}}, {9{bytes_a[0]}}};
    wire [35:0] mask_b = {{9{bytes_b[3]}}, {9{bytes_b[2]}}, {9{bytes_b[1]}}, {9{bytes_b[0]}}};

    integer a, b;
    always @(posedge CLKA) for (a = 0; a < 4; a = a + 1) if (bytes_a[a]) mem[ada[13:5]][9*a +: 9] <= write_a[9*a +: 9];
    always @(posedge CLKB) for (b = 0; b < 4; b = b + 1) if (bytes_b[b]) mem[adb[13:5]][9*b +: 9] <= write_b[9*b +: 9];

    // The word as a port finds it: what the other port writes now is inverted, what it writes itself as its mode says.
    wire same = ada[13:5] == adb[13:5];
    wire [35:0] old_a = mem[ada[13:5]] ^ (same ? mask_b : 36'd0);
    wire [35:0] old_b = mem[adb[13:5]] ^ (same ? mask_a : 36'd0);
    wire [35:0] word_a = WRITEMODE_A == "WRITETHROUGH" ? old_a & ~mask_a | write_a & mask_a : old_a;
    wire [35:0] word_b = WRITEMODE_B == "WRITETHROUGH" ? old_b & ~mask_b | write_b & mask_b : old_b;
    wire [35:0] part_a = DATA_WIDTH_A == 36 ? word_a
                       : DATA_WIDTH_A == 18 ? {18'd0, ada[4] ? word_a[35:18] : word_a[17:0]}
                       : word_a >> 9 * ada[4:3] & 36'h1ff;
    wire [35:0] part_b = DATA_WIDTH_B == 36 ? word_b
                       : DATA_WIDTH_B == 18 ? {18'd0, adb[4] ? word_b[35:18] : word_b[17:0]}
                       : word_b >> 9 * adb[4:3] & 36'h1ff;

    reg [35:0] latch_a = 36'd0, latch_b = 36'd0, register_a = 36'd0, register_b = 36'd0;
    wire async_a = RESETMODE == "ASYNC" && RSTA;
    wire async_b = RESETMODE == "ASYNC" && RSTB;
    always @(posedge CLKA or posedge async_a) begin
        if (RSTA) latch_a <= 36'd0;
        else if (on_a && !(WEA && WRITEMODE_A == "NORMAL")) latch_a <= part_a;
        if (RSTA) register_a <= 36'd0;
        else if (OCEA) register_a <= latch_a;
    end
    always @(posedge CLKB or posedge async_b) begin
        if (RSTB) latch_b <= 36'd0;
        else if (on_b && !(WEB && WRITEMODE_B == "NORMAL")) latch_b <= part_b;
        if (RSTB) register_b <= 36'd0;
        else if (OCEB) register_b <= latch_b;
    end

    wire [35:0] out_a = REGMODE_A == "OUTREG" ? register_a : latch_a;
    wire [35:0] out_b = REGMODE_B == "OUTREG" ? register_b : latch_b;
    assign {
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
        DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0
    } = DATA_WIDTH_B == 36 ? out_b[17:0] : out_a[17:0];
    assign {
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
        DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
    } = DATA_WIDTH_B == 36 ? out_b[35:18] : out_b[17:0];
endmodule
