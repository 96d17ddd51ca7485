#pragma once

#include <string>
#include <variant>
#include <vector>

#include "ring_tool/options.hpp"
#include "ring_tool/run.hpp"

/// Each sub-command as a row of a table: what it takes, what it says of itself, what it does.
namespace ring_tool {

struct Command {
  std::string name;  ///< with dashes; spelled with underscores it is the same
  std::string summary;
  std::string usage;  ///< what follows the name
  std::vector<Option> options;
  int arguments = -1;  ///< how many it takes; -1: any, ignored
  void (*perform)(const Options& options, const Streams& streams) = nullptr;
};

const std::vector<Command>& commands();
std::string help_of(const Command& command);

void create(const Options& options, const Streams& streams);
void deserialize_ring(const Options& options, const Streams& streams);
void print_hash(const Options& options, const Streams& streams);
void diff(const Options& options, const Streams& streams);
void add_data(const Options& options, const Streams& streams);
void remap_vnode(const Options& options, const Streams& streams);
void remove_pnode(const Options& options, const Streams& streams);
void get_pnodes(const Options& options, const Streams& streams);
void get_vnodes(const Options& options, const Streams& streams);
void get_vnode_pnode_and_data(const Options& options, const Streams& streams);
void get_data_vnodes(const Options& options, const Streams& streams);
void get_node(const Options& options, const Streams& streams);

// Beyond node-fash's:
void locate(const Options& options, const Streams& streams);
void verify(const Options& options, const Streams& streams);
void digest(const Options& options, const Streams& streams);
void stats(const Options& options, const Streams& streams);
void export_ring(const Options& options, const Streams& streams);
void import_ring(const Options& options, const Streams& streams);
void store_ring(const Options& options, const Streams& streams);
void plot(const Options& options, const Streams& streams);

}  // namespace ring_tool
