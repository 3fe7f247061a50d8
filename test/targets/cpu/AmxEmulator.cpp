// VEX decoding, the tile registers of each thread, and the meaning of each
// instruction. Everything here runs in a signal handler: no allocation, no
// locks, output by write().
#include "test/targets/cpu/AmxEmulator.h"

#if defined(__x86_64__) && defined(__linux__)
#include <atomic>
#include <cpuid.h>
#include <csignal>
#include <cstring>
#include <immintrin.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

using namespace quartet::test;

namespace {
constexpr int kTiles = 8, kRows = 16, kRowBytes = 64;

/// What LDTILECFG reads and STTILECFG writes.
struct Config {
  uint8_t palette, startRow, reserved[14];
  uint16_t rowBytes[16];
  uint8_t rows[16];
};
static_assert(sizeof(Config) == 64);

struct Tiles {
  Config config;
  uint8_t data[kTiles][kRows][kRowBytes];
};

/// One instruction: VEX.128.prefix.0F38.W0 opcode.
struct Instruction {
  uint8_t prefix; ///< 0 none, 1 66, 2 F3, 3 F2
  uint8_t opcode;
  bool inMemory;       ///< the second operand
  int reg, rm, vector; ///< numbers of registers; rm only when not in memory
  uint64_t address;
  int64_t stride; ///< index register times scale
  int64_t length; ///< bytes
};
} // namespace

static thread_local Tiles tiles;
static std::atomic<int64_t> emulated{0};

/// Ends the program: the default action of the instruction at fault.
static void refuse(const char *why) {
  const char head[] = "AMX emulator: ";
  bool written = write(2, head, sizeof(head) - 1) > 0 &&
                 write(2, why, std::strlen(why)) > 0 && write(2, "\n", 1) > 0;
  (void)written;
  signal(SIGILL, SIG_DFL);
}

/// The general register with the number that instructions have for it.
static int64_t general(const greg_t *registers, int number) {
  static constexpr int kPlaces[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX,
                                    REG_RSP, REG_RBP, REG_RSI, REG_RDI};
  return number < 8 ? registers[kPlaces[number]]
                    : registers[REG_R8 + number - 8];
}

static bool decode(const greg_t *registers, Instruction &result) {
  auto *start = reinterpret_cast<const uint8_t *>(registers[REG_RIP]);
  const uint8_t *code = start;
  if (*code++ != 0xc4)
    return false;
  uint8_t first = *code++, second = *code++;
  bool highReg = !(first & 0x80), highIndex = !(first & 0x40),
       highBase = !(first & 0x20);
  bool isWide = second & 0x80, is256 = second & 4;
  if ((first & 31) != 2 || isWide || is256)
    return false;
  result.prefix = second & 3;
  result.vector = ~(second >> 3) & 15;
  result.opcode = *code++;
  uint8_t modrm = *code++;
  int mod = modrm >> 6, rm = modrm & 7;
  result.reg = (modrm >> 3 & 7) | (highReg ? 8 : 0);
  result.rm = rm | (highBase ? 8 : 0);
  result.inMemory = mod != 3;
  result.address = result.stride = 0;
  bool fromNext = false;
  if (result.inMemory) {
    int base = result.rm;
    bool hasBase = true;
    if (rm == 4) {
      uint8_t sib = *code++;
      int index = (sib >> 3 & 7) | (highIndex ? 8 : 0);
      if (index != 4)
        result.stride = general(registers, index) << (sib >> 6);
      base = (sib & 7) | (highBase ? 8 : 0);
      hasBase = mod != 0 || (sib & 7) != 5;
    } else if (mod == 0 && rm == 5) {
      hasBase = false;
      fromNext = true;
    }
    if (hasBase)
      result.address = general(registers, base);
    if (mod == 1) {
      result.address += int64_t(int8_t(*code++));
    } else if (mod == 2 || !hasBase) {
      int32_t offset;
      std::memcpy(&offset, code, 4);
      code += 4;
      result.address += int64_t(offset);
    }
    // Tile loads and stores must have a SIB byte.
    if (result.opcode == 0x4b && rm != 4)
      return false;
  }
  result.length = code - start;
  if (fromNext)
    result.address += registers[REG_RIP] + result.length;
  return true;
}

static const char *configure(const Config &config) {
  for (uint8_t byte : config.reserved)
    if (byte)
      return "reserved bytes of the configuration are not 0";
  if (config.palette > 1)
    return "the palette is neither 0 nor 1";
  for (int i = 0; i < 16; ++i) {
    int rows = config.rows[i], bytes = config.rowBytes[i];
    if (i < kTiles ? rows > kRows || bytes > kRowBytes || !rows != !bytes
                   : rows || bytes)
      return "a tile of the configuration has a size that cannot be";
  }
  std::memset(&tiles, 0, sizeof(tiles));
  if (config.palette)
    tiles.config = config;
  return nullptr;
}

/// Zero where a CPU without denormals sees zero: the caller's MXCSR says so.
static float widen(uint16_t bits) {
  uint32_t word = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &word, 4);
  return value;
}

/// Even and odd columns of a row are summed apart, then added to each other and
/// to what was there. Every operation rounds to f32. Not inlined: its
/// arithmetic must stay between the changes of MXCSR.
__attribute__((noinline, target("fma"))) static void
multiplyFloats(int sum, int x, int w) {
  const Config &config = tiles.config;
  for (int m = 0; m < config.rows[sum]; ++m)
    for (int n = 0; n < config.rowBytes[sum] / 4; ++n) {
      float even = 0, odd = 0, total;
      for (int k = 0; k < config.rowBytes[x] / 4; ++k) {
        uint16_t left[2], right[2];
        std::memcpy(left, &tiles.data[x][m][4 * k], 4);
        std::memcpy(right, &tiles.data[w][k][4 * n], 4);
        even = __builtin_fmaf(widen(left[0]), widen(right[0]), even);
        odd = __builtin_fmaf(widen(left[1]), widen(right[1]), odd);
      }
      std::memcpy(&total, &tiles.data[sum][m][4 * n], 4);
      total = total + (even + odd);
      std::memcpy(&tiles.data[sum][m][4 * n], &total, 4);
    }
}

static void multiplyBytes(int sum, int x, int w, bool signedX, bool signedW) {
  const Config &config = tiles.config;
  auto value = [](uint8_t byte, bool isSigned) {
    return isSigned ? int32_t(int8_t(byte)) : int32_t(byte);
  };
  for (int m = 0; m < config.rows[sum]; ++m)
    for (int n = 0; n < config.rowBytes[sum] / 4; ++n) {
      uint32_t total;
      std::memcpy(&total, &tiles.data[sum][m][4 * n], 4);
      for (int k = 0; k < config.rowBytes[x]; ++k)
        total += uint32_t(value(tiles.data[x][m][k], signedX) *
                          value(tiles.data[w][k / 4][4 * n + k % 4], signedW));
      std::memcpy(&tiles.data[sum][m][4 * n], &total, 4);
    }
}

static const char *multiply(const Instruction &i) {
  int sum = i.reg, x = i.rm, w = i.vector;
  if (sum >= kTiles || x >= kTiles || w >= kTiles)
    return "a number of a tile is above 7";
  if (sum == x || sum == w || x == w)
    return "the operands of a product are not three different tiles";
  const Config &config = tiles.config;
  if (!config.rows[sum] || !config.rows[x] || !config.rows[w])
    return "an operand of a product is not configured";
  if (config.rowBytes[sum] % 4 || config.rowBytes[x] % 4 ||
      config.rows[sum] != config.rows[x] ||
      config.rowBytes[sum] != config.rowBytes[w] ||
      config.rowBytes[x] / 4 != config.rows[w])
    return "the sizes of the operands of a product do not fit";
  if (i.opcode == 0x5e) { // uu, us, su, ss
    multiplyBytes(sum, x, w, i.prefix >= 2, i.prefix & 1);
    return nullptr;
  }
  constexpr unsigned kToNearest = 0x1f80, kNoDenormals = 0x8040;
  unsigned before = _mm_getcsr();
  _mm_setcsr(kToNearest | kNoDenormals);
  multiplyFloats(sum, x, w);
  _mm_setcsr(before);
  return nullptr;
}

/// Executes \p i; returns why a CPU would not.
static const char *execute(const Instruction &i) {
  const char *unknown = "not an instruction of AMX-TILE, -INT8 or -BF16";
  bool isProduct = (i.opcode == 0x5c && i.prefix == 2) || i.opcode == 0x5e;
  auto *memory = reinterpret_cast<uint8_t *>(i.address);
  if (i.opcode == 0x49 && i.inMemory && i.reg == 0 && i.prefix == 0) {
    Config config; // LDTILECFG
    std::memcpy(&config, memory, sizeof(config));
    return configure(config);
  }
  if (i.opcode == 0x49 && i.inMemory && i.reg == 0 && i.prefix == 1) {
    std::memcpy(memory, &tiles.config, sizeof(Config)); // STTILECFG
    return nullptr;
  }
  if (i.opcode == 0x49 && !i.inMemory && i.prefix == 0) {
    std::memset(&tiles, 0, sizeof(tiles)); // TILERELEASE
    return nullptr;
  }
  if (!tiles.config.palette)
    return "no tiles are configured";
  if (isProduct && !i.inMemory)
    return multiply(i);
  if (i.reg >= kTiles || !tiles.config.rows[i.reg])
    return "a tile is not configured";
  int rows = tiles.config.rows[i.reg], bytes = tiles.config.rowBytes[i.reg];
  if (i.opcode == 0x49 && !i.inMemory && i.prefix == 3) { // TILEZERO
    std::memset(tiles.data[i.reg], 0, sizeof(tiles.data[i.reg]));
    return nullptr;
  }
  if (i.opcode != 0x4b || !i.inMemory || i.prefix == 0)
    return unknown;
  if (i.prefix == 2) { // TILESTORED
    for (int r = 0; r < rows; ++r)
      std::memcpy(memory + r * i.stride, tiles.data[i.reg][r], bytes);
    return nullptr;
  }
  std::memset(tiles.data[i.reg], 0, sizeof(tiles.data[i.reg]));
  for (int r = 0; r < rows; ++r) // TILELOADD, TILELOADDT1
    std::memcpy(tiles.data[i.reg][r], memory + r * i.stride, bytes);
  return nullptr;
}

static void onIllegal(int, siginfo_t *, void *context) {
  greg_t *registers = static_cast<ucontext_t *>(context)->uc_mcontext.gregs;
  Instruction instruction;
  if (!decode(registers, instruction))
    return refuse("not an instruction of AMX");
  if (const char *problem = execute(instruction))
    return refuse(problem);
  registers[REG_RIP] += instruction.length;
  emulated.fetch_add(1, std::memory_order_relaxed);
}

/// Whether the CPU has all three extensions.
static bool machineHasAmx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24, kInt8 = 1u << 25;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
         (d & (kBf16 | kTile | kInt8)) == (kBf16 | kTile | kInt8);
}

Amx quartet::test::enableAmx() {
  static const Amx way = [] {
    if (machineHasAmx()) {
      constexpr int kRequestPermission = 0x1023, kTileData = 18;
      return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0
                 ? Amx::Native
                 : Amx::Absent;
    }
    if (!__builtin_cpu_supports("fma")) // which rounds as tdpbf16ps does
      return Amx::Absent;
    struct sigaction action = {};
    action.sa_sigaction = onIllegal;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGILL, &action, nullptr) == 0 ? Amx::Emulated
                                                    : Amx::Absent;
  }();
  return way;
}

int64_t quartet::test::emulatedAmxInstructions() { return emulated; }

#else

quartet::test::Amx quartet::test::enableAmx() { return Amx::Absent; }
int64_t quartet::test::emulatedAmxInstructions() { return 0; }

#endif
