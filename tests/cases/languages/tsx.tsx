import React, { useState } from "react";

interface Props {
  title: string;
}

export function Shelf({ title }: Props): JSX.Element {
  const [cups, setCups] = useState<string[]>([]);
  // One more cup at each click.
  return (
    <section onClick={() => setCups([...cups, "cup"])}>
      <h1 className="title">{title}</h1>
    </section>
  );
}

export const Empty = () => <p>No cups.</p>;
