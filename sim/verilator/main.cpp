// Plays images to a printed accelerator and compares every traced value and every output beat with what must appear.
//
//   design STIMULUS RESULT PROGRESS [VCD FIRST_CLOCK]
//
// STIMULUS is the file of stimulus.py, which lists its fields. RESULT becomes one JSON object. PROGRESS grows by one byte
// a layer. VCD is a waveform from FIRST_CLOCK on, in a build with --trace-vcd. The first difference ends the run: exit code
// 0 says that RESULT was written, whatever is in it.
//
// One clock: the inputs change, clk falls, the outputs are read as a register would see them, clk rises.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "Vdesign.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

constexpr int kResetClocks = 4;
constexpr int kQuietClocks = 16;  // nothing may appear in them after the last image
constexpr int kMaxTraced = 64;    // values that the trace port may show in one clock, at least the number of lanes

[[noreturn]] void fail(const std::string& message) {
    std::fprintf(stderr, "%s\n", message.c_str());
    std::exit(2);
}

std::int64_t sign_extended(std::uint64_t value, int bits) {
    return static_cast<std::int64_t>(value << (64 - bits)) >> (64 - bits);
}

// ---- ports: all that is known of the design's interface ----------------------------------------------------------------

struct Traced {
    int count;  // values shown in this clock
    int layer;  // index of their descriptor
    std::array<std::int64_t, kMaxTraced> values;
};

// The `number`th value of a port that Verilator holds in one word, or, wider than 64 bits, in several words of 32.
template <typename Word>
std::uint64_t slice(const Word& port, int number, int bits) {
    return static_cast<std::uint64_t>(port) >> (number * bits);
}

template <std::size_t Words>
std::uint64_t slice(const VlWide<Words>& port, int number, int bits) {
    const std::size_t first = static_cast<std::size_t>(number) * bits;
    const std::size_t word = first / 32;
    const std::uint64_t low = port[word];
    const std::uint64_t high = word + 1 < Words ? port[word + 1] : 0;
    return (high << 32 | low) >> (first % 32);
}

void read_trace(const Vdesign& design, int out_bits, Traced& traced) {
    traced.count = design.trace_valid ? design.trace_count : 0;
    traced.layer = design.trace_layer;
    for (int number = 0; number < traced.count; ++number) {
        traced.values[number] = sign_extended(slice(design.trace_values, number, out_bits), out_bits);
    }
}

struct Beat {
    bool valid;
    bool last;
    std::int64_t value;
    int argmax;
};

Beat read_output(const Vdesign& design, int output_bits) {
    return {design.m_axis_tvalid != 0, design.m_axis_tlast != 0, sign_extended(design.m_axis_tdata, output_bits),
            static_cast<int>(design.m_axis_tuser)};
}

void drive_input(Vdesign& design, bool valid, std::int32_t code, bool last) {
    design.s_axis_tvalid = valid;
    if (valid) {
        design.s_axis_tdata = code;
        design.s_axis_tlast = last;
    }
}

// All through a run CONTROL.run is written, so that a design that waits for its host after reset begins.
void hold_run(Vdesign& design, int control_offset) {
    design.s_axil_awaddr = control_offset;
    design.s_axil_awvalid = 1;
    design.s_axil_wdata = 1;
    design.s_axil_wstrb = 15;
    design.s_axil_wvalid = 1;
    design.s_axil_bready = 1;
    design.s_axil_arvalid = 0;
    design.s_axil_rready = 1;
}

// ---- stimulus ----------------------------------------------------------------------------------------------------------

struct Layer {
    std::int32_t index;
    std::int32_t values;
};

class Stimulus {
  public:
    explicit Stimulus(const char* path) {
        const int file = open(path, O_RDONLY);
        struct stat status;
        if (file < 0 || fstat(file, &status) != 0) fail(std::string("stimulus must be readable: ") + path);
        // Mapped, not read: thousands of images need not fit into memory.
        void* const data = mmap(nullptr, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (data == MAP_FAILED) fail(std::string("stimulus must be readable: ") + path);
        const auto* word = static_cast<const std::int32_t*>(data);
        for (std::int32_t* field : {&images, &first_image, &codes, &layers_per_image, &outputs, &has_argmax, &out_bits, &output_bits,
                                    &gap_percent, &stall_clocks, &control_offset, &counter_base, &counters}) {
            *field = *word++;
        }
        traced_ = 0;
        for (int layer = 0; layer < layers_per_image; ++layer) {
            layers.push_back({word[0], word[1]});
            traced_ += word[1];
            word += 2;
        }
        first_ = word;
    }

    const std::int32_t* codes_of(int image) const { return first_ + image * words_per_image(); }
    const std::int32_t* traced_of(int image) const { return codes_of(image) + codes; }
    const std::int32_t* outputs_of(int image) const { return traced_of(image) + traced_; }
    int argmax_of(int image) const { return outputs_of(image)[outputs]; }

    std::int32_t images, first_image, codes, layers_per_image, outputs, has_argmax, out_bits, output_bits, gap_percent, stall_clocks,
        control_offset, counter_base, counters;
    std::vector<Layer> layers;

  private:
    std::int64_t words_per_image() const { return codes + traced_ + outputs + 1; }

    std::int64_t traced_;
    const std::int32_t* first_;
};

// ---- what is looked for ------------------------------------------------------------------------------------------------

// Pauses of a stream: the same on every machine, since the standard fixes this generator's numbers.
class Gaps {
  public:
    Gaps(unsigned seed, int percent) : generator_(seed), percent_(percent) {}
    bool pause() { return percent_ > 0 && static_cast<int>(generator_() % 100) < percent_; }

  private:
    std::mt19937 generator_;
    int percent_;
};

// The first difference: value `position` of the layer that stands at `layer` in the list, in an image of this run.
struct Difference {
    bool found = false;
    int image = 0;
    int layer = 0;
    int position = 0;
    std::int64_t expected = 0;
    std::int64_t actual = 0;
};

class Checker {
  public:
    Checker(const Stimulus& stimulus, const char* progress)
        : stimulus_(stimulus), progress_(std::fopen(progress, "ab")) {
        if (progress_ == nullptr) fail(std::string("progress must be writable: ") + progress);
        expected_ = stimulus_.traced_of(0);
    }

    // Compares what the trace port shows in one clock; returns whether the run goes on.
    bool trace(const Traced& traced) {
        for (int index = 0; index < traced.count; ++index) {
            if (image == stimulus_.images) return stop("trace must end with the last layer, not go on");
            const Layer& now = stimulus_.layers[layer];
            if (traced.values[index] != *expected_ || traced.layer != now.index) {
                return differ(image, layer, position, *expected_, traced.values[index]);
            }
            ++values_compared;
            ++expected_;
            if (++position == now.values) next_layer();
        }
        return true;
    }

    // Compares a beat that the output stream delivers; returns whether the run goes on.
    bool output(const Beat& beat) {
        const int output_image = static_cast<int>(classes.size());
        if (output_image == stimulus_.images) return stop("output must end with the last image, not go on");
        const std::int32_t expected = stimulus_.outputs_of(output_image)[beats_];
        const bool last = beats_ == stimulus_.outputs - 1;
        if (beat.value != expected || beat.last != last) {
            return differ(output_image, stimulus_.layers_per_image - 1, beats_, expected, beat.value);
        }
        ++beats_;
        if (!last) return true;
        if (stimulus_.has_argmax && beat.argmax != stimulus_.argmax_of(output_image)) {
            return stop("argmax of image " + std::to_string(stimulus_.first_image + output_image) + " must be " +
                        std::to_string(stimulus_.argmax_of(output_image)) + ", not " + std::to_string(beat.argmax));
        }
        classes.push_back(beat.argmax);
        beats_ = 0;
        return true;
    }

    bool stop(const std::string& what) {
        problem = what;
        return false;
    }

    bool finished() const {
        return image == stimulus_.images && static_cast<int>(classes.size()) == stimulus_.images;
    }

    Difference difference;
    std::string problem;  // a failure that names no element
    std::vector<int> classes;  // of every image that came to its end
    std::int64_t values_compared = 0;
    int image = 0;  // where the trace stands: the next value to appear
    int layer = 0;
    int position = 0;

  private:
    bool differ(int of_image, int of_layer, int at, std::int64_t expected, std::int64_t actual) {
        difference = {true, stimulus_.first_image + of_image, of_layer, at, expected, actual};
        return false;
    }

    void next_layer() {
        position = 0;
        std::fputc('.', progress_);
        std::fflush(progress_);
        if (++layer < stimulus_.layers_per_image) return;
        layer = 0;
        if (++image < stimulus_.images) expected_ = stimulus_.traced_of(image);
    }

    const Stimulus& stimulus_;
    std::FILE* progress_;
    const std::int32_t* expected_;
    int beats_ = 0;
};

// ---- clocks ------------------------------------------------------------------------------------------------------------

class Wave {
  public:
    Wave(Vdesign& design, const char* path, std::int64_t first_clock) : first_clock_(first_clock) {
#if VM_TRACE
        if (path == nullptr) return;
        vcd_ = std::make_unique<VerilatedVcdC>();
        design.trace(vcd_.get(), 99);
        vcd_->open(path);
#else
        static_cast<void>(design);
        if (path != nullptr) fail("waveform must be asked of a build that traces");
#endif
    }

    ~Wave() {
#if VM_TRACE
        if (vcd_) vcd_->close();
#endif
    }

    // Times are those of a clock with a period of 10 ns, in the simulator's unit of 1 ps.
    void dump(std::int64_t clock, bool high) {
#if VM_TRACE
        if (vcd_ && clock >= first_clock_) vcd_->dump(static_cast<std::uint64_t>(clock * 10000 + (high ? 5000 : 0)));
#else
        static_cast<void>(clock);
        static_cast<void>(high);
#endif
    }

  private:
    std::int64_t first_clock_;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> vcd_;
#endif
};

struct Run {
    std::vector<std::int64_t> starts;  // clock in which each image's first layer began
    std::vector<std::int64_t> ends;    // clock behind the one in which each image's last output was accepted
    std::int64_t clocks = 0;
    std::vector<std::uint64_t> counters;  // of every layer of the last image, a layer's beside each other
};

void tick(Vdesign& design, Wave& wave, std::int64_t clock) {
    design.clk = 0;
    design.eval();
    wave.dump(clock, false);
    design.clk = 1;
    design.eval();
    wave.dump(clock, true);
}

std::uint64_t read_register(Vdesign& design, Wave& wave, Run& run, int offset) {
    constexpr int kMostClocks = 16;
    design.s_axil_araddr = offset;
    design.s_axil_arvalid = 1;
    for (int clock = 0; clock < kMostClocks; ++clock) {
        tick(design, wave, run.clocks++);
        design.s_axil_arvalid = 0;
        if (design.s_axil_rvalid) {
            const std::uint64_t value = design.s_axil_rdata;
            tick(design, wave, run.clocks++);
            return value;
        }
    }
    fail("registers must answer within 16 clocks");
}

void read_counters(Vdesign& design, const Stimulus& stimulus, Wave& wave, Run& run) {
    const int words = 2 * stimulus.layers_per_image * stimulus.counters;
    for (int word = 0; word < words; word += 2) {
        const std::uint64_t low = read_register(design, wave, run, stimulus.counter_base + 4 * word);
        const std::uint64_t high = read_register(design, wave, run, stimulus.counter_base + 4 * word + 4);
        run.counters.push_back(high << 32 | low);
    }
}

Run play(Vdesign& design, const Stimulus& stimulus, Checker& checker, Wave& wave) {
    Run run;
    Gaps input_gaps(1, stimulus.gap_percent);
    Gaps output_gaps(2, stimulus.gap_percent);
    Traced traced;
    int image = 0;  // of the code that comes next
    int position = 0;
    bool busy = false;     // an image's layers run
    bool offered = false;  // a code that was offered stays until it is taken
    std::int64_t last_progress = 0;
    int quiet = 0;

    hold_run(design, stimulus.control_offset);
    design.s_axis_tlast = 0;
    design.s_axis_tdata = 0;
    for (; quiet < kQuietClocks; ++run.clocks) {
        const bool reset = run.clocks < kResetClocks;
        offered = !reset && image < stimulus.images && (offered || !input_gaps.pause());
        const bool ready = !reset && !output_gaps.pause();
        design.rst = reset;
        drive_input(design, offered, offered ? stimulus.codes_of(image)[position] : 0, position == stimulus.codes - 1);
        design.m_axis_tready = ready;
        design.clk = 0;
        design.eval();
        wave.dump(run.clocks, false);

        if (!reset) {
            bool moved = false;
            if (offered && design.s_axis_tready) {
                moved = true;
                offered = false;
                if (++position == stimulus.codes) {
                    position = 0;
                    ++image;
                }
            }
            if (design.busy && !busy) run.starts.push_back(run.clocks);
            busy = design.busy;
            read_trace(design, stimulus.out_bits, traced);
            moved = moved || traced.count > 0;
            if (!checker.trace(traced)) break;
            const Beat beat = read_output(design, stimulus.output_bits);
            if (ready && beat.valid) {
                moved = true;
                const std::size_t before = checker.classes.size();
                if (!checker.output(beat)) break;
                if (checker.classes.size() > before) run.ends.push_back(run.clocks + 1);
            }
            if (moved) last_progress = run.clocks;
            if (checker.finished() && ++quiet == kQuietClocks && design.tlast_error) {
                checker.stop("tlast error must stay low for well-formed images, not rise");
            }
            if (run.clocks - last_progress > stimulus.stall_clocks) {
                checker.stop("stalled");
                break;
            }
        }
        design.clk = 1;
        design.eval();
        wave.dump(run.clocks, true);
    }
    if (checker.finished() && checker.problem.empty()) read_counters(design, stimulus, wave, run);
    return run;
}

void write_result(const char* path, const Checker& checker, const Run& run) {
    std::FILE* const file = std::fopen(path, "w");
    if (file == nullptr) fail(std::string("result must be writable: ") + path);
    std::fprintf(file, "{\"clocks\": %" PRId64 ", \"values_compared\": %" PRId64, run.clocks, checker.values_compared);
    std::fprintf(file, ", \"problem\": \"%s\"", checker.problem.c_str());
    std::fprintf(file, ", \"image\": %d, \"layer\": %d, \"position\": %d", checker.image, checker.layer, checker.position);
    std::fprintf(file, ", \"cycles\": [");
    for (std::size_t image = 0; image < run.ends.size(); ++image) {
        std::fprintf(file, "%s%" PRId64, image ? ", " : "", run.ends[image] - run.starts[image]);
    }
    std::fprintf(file, "], \"classes\": [");
    for (std::size_t image = 0; image < checker.classes.size(); ++image) {
        std::fprintf(file, "%s%d", image ? ", " : "", checker.classes[image]);
    }
    std::fprintf(file, "], \"counters\": [");
    for (std::size_t counter = 0; counter < run.counters.size(); ++counter) {
        std::fprintf(file, "%s%" PRIu64, counter ? ", " : "", run.counters[counter]);
    }
    std::fprintf(file, "], \"difference\": ");
    const Difference& found = checker.difference;
    if (found.found) {
        std::fprintf(file,
                     "{\"image\": %d, \"layer\": %d, \"position\": %d, \"expected\": %" PRId64 ", \"actual\": %" PRId64 "}",
                     found.image, found.layer, found.position, found.expected, found.actual);
    } else {
        std::fprintf(file, "null");
    }
    std::fprintf(file, "}\n");
    if (std::fclose(file) != 0) fail(std::string("result must be writable: ") + path);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4 && argc != 6) fail("arguments must be STIMULUS RESULT PROGRESS [VCD FIRST_CLOCK]");
    const bool waves = argc == 6;
    const Stimulus stimulus(argv[1]);
    Checker checker(stimulus, argv[3]);

    const auto context = std::make_unique<VerilatedContext>();
    // What no reset and no memory image sets begins as noise, the same in every run: two values stand for the unknown one.
    context->randReset(2);
    context->randSeed(1);
    context->traceEverOn(waves);
    const auto design = std::make_unique<Vdesign>(context.get());
    Run run;
    {
        Wave wave(*design, waves ? argv[4] : nullptr, waves ? std::atoll(argv[5]) : 0);
        run = play(*design, stimulus, checker, wave);
    }
    design->final();
    write_result(argv[2], checker, run);
    return 0;
}
