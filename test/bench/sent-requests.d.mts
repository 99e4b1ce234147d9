export function onRequest(sent: (origin: string, method: string) => void): void;
